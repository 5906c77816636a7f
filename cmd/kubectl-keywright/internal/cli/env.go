package cli

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// DefaultKeyNamespace is the namespace that the chart and the manifests install Keywright in.
const DefaultKeyNamespace = "keywright-system"

// Env is the environment of a command: its streams, the flags that select the cluster, and the clock.
type Env struct {
	genericiooptions.IOStreams
	// Now returns the time of this machine.
	Now func() time.Time
	// KeyNamespace is the value of --key-namespace, empty if the flag is not set.
	KeyNamespace string

	flags *genericclioptions.ConfigFlags
	// serverTime is the time in the last response of the API server.
	serverTime atomic.Pointer[time.Time]
	// lines reads standard input by lines, nil before the first line is read.
	lines *bufio.Reader
}

// Client returns a client for the cluster that the flags select.
func (e *Env) Client() (client.WithWatch, error) {
	config, err := e.config()
	if err != nil {
		return nil, err
	}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &dateRecorder{next, func(at time.Time) { e.serverTime.Store(&at) }}
	})
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	if err := keywrightv1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return client.NewWithWatch(config, client.Options{Scheme: scheme})
}

// RESTClient returns a client for paths of the API server that have no type.
func (e *Env) RESTClient() (rest.Interface, error) {
	config, err := e.config()
	if err != nil {
		return nil, err
	}
	d, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	return d.RESTClient(), nil
}

// NamespaceFlag returns the value of --namespace, empty if the flag is not set.
func (e *Env) NamespaceFlag() string { return *e.flags.Namespace }

// Namespace returns the namespace of the flags, or of the current context.
func (e *Env) Namespace() (string, error) {
	namespace, _, err := e.flags.ToRawKubeConfigLoader().Namespace()
	return namespace, err
}

// LimitRequests sets a timeout for each request, unless --request-timeout sets one.
func (e *Env) LimitRequests(timeout time.Duration) {
	if *e.flags.Timeout == "0" {
		*e.flags.Timeout = timeout.String()
	}
}

// GetSigningKey returns a SigningKey. If there is none, the error names the command that lists them.
func GetSigningKey(ctx context.Context, k client.Client, name string) (*keywrightv1alpha1.SigningKey, error) {
	var key keywrightv1alpha1.SigningKey
	err := k.Get(ctx, client.ObjectKey{Name: name}, &key)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("there is no SigningKey %q: `kubectl get signingkeys` lists them", name)
	}
	return &key, err
}

// CompleteSigningKeys completes the name of a SigningKey in the shell.
func (e *Env) CompleteSigningKeys(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return e.complete(cmd, args, &keywrightv1alpha1.SigningKeyList{})
}

// CompleteKeySets completes the name of a SigningKey or a TrustedIssuer in the shell.
func (e *Env) CompleteKeySets(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return e.complete(cmd, args, &keywrightv1alpha1.SigningKeyList{}, &keywrightv1alpha1.TrustedIssuerList{})
}

// complete returns the names of the objects of some kinds, if no argument is there yet.
func (e *Env) complete(cmd *cobra.Command, args []string, kinds ...client.ObjectList) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	k, err := e.Client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, list := range kinds {
		if err := k.List(cmd.Context(), list); err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		_ = meta.EachListItem(list, func(o runtime.Object) error { // it returns no other errors
			if object, ok := o.(client.Object); ok {
				names = append(names, object.GetName())
			}
			return nil
		})
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// Poll calls check at once and then once per period, until it returns true or an error, or the context ends.
func Poll(ctx context.Context, period time.Duration, check func() (done bool, err error)) error {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		if done, err := check(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
