package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers"
)

// cli is what all commands share.
type cli struct {
	genericiooptions.IOStreams
	flags *genericclioptions.ConfigFlags
	now   func() time.Time
	// serverTime is the time that the API server gave last.
	serverTime atomic.Pointer[time.Time]
	// lines is standard input, once a line of it was asked for.
	lines *bufio.Reader
	// keyNamespace is where Keywright is installed, empty if the user leaves it to us to find out.
	keyNamespace string
}

// usageError is a mistake on the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usage(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// newCommand returns the plugin with all its commands.
func newCommand(streams genericiooptions.IOStreams, now func() time.Time) *cobra.Command {
	c := &cli{IOStreams: streams, flags: genericclioptions.NewConfigFlags(true), now: now}
	root := &cobra.Command{
		Use:           "kubectl-keywright",
		Short:         "See and steer the signing keys that a cluster trusts",
		SilenceErrors: true, SilenceUsage: true,
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl keywright"},
	}
	root.SetIn(c.In)
	root.SetOut(c.Out)
	root.SetErr(c.ErrOut)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	c.flags.AddFlags(root.PersistentFlags())
	root.PersistentFlags().StringVar(&c.keyNamespace, "key-namespace", "",
		"`NAMESPACE` that Keywright is installed in (default: the one that has the Lease "+controllers.LeaseName+")")
	root.AddCommand(c.statusCommand(), c.rotateCommand(), c.revokeCommand(), c.revocationsCommand(), c.planCommand(), c.keysCommand(), c.fetchCommand(), c.verifyCommand(), c.inspectCommand(),
		c.tokenCommand(), c.usersCommand(), c.doctorCommand(), c.versionCommand(), optionsCommand())
	root.SetHelpCommand(helpCommand())
	root.InitDefaultHelpCmd()
	explainCompletion(root)
	withoutOptions(root)
	strictly(root)
	return root
}

// helpCommand is that of cobra, but for a topic that there is not.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usage("there is no command %q", strings.Join(args, " "))
			}
			return about.Help()
		},
	}
}

// strictly has each command refuse what it does not take as a mistake on the command line. Those that only have commands of their own print
// their help.
func strictly(cmd *cobra.Command) {
	for _, child := range cmd.Commands() {
		strictly(child)
	}
	takes := cmd.Args
	if !cmd.Runnable() {
		cmd.SuggestionsMinimumDistance = 2
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		takes = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			meant := ""
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				meant = "; did you mean " + strings.Join(near, " or ") + "?"
			}
			return fmt.Errorf("%s has no command %q%s", cmd.CommandPath(), args[0], meant)
		}
	}
	if takes == nil {
		return
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		err := takes(cmd, args)
		var known *usageError
		if err == nil || errors.As(err, &known) {
			return err
		}
		return &usageError{err}
	}
}

// exactly accepts a number of arguments, and says which ones are missing.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return usage("%s takes %v, see --help", cmd.CommandPath(), names)
		}
		return nil
	}
}

// client returns a client for the cluster that the flags name.
func (c *cli) client() (client.WithWatch, error) {
	config, err := c.config()
	if err != nil {
		return nil, err
	}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &notesTime{next, func(at time.Time) { c.serverTime.Store(&at) }}
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

// get returns one SigningKey, or an error that says what to do.
func get(ctx context.Context, k client.Client, name string) (*keywrightv1alpha1.SigningKey, error) {
	var key keywrightv1alpha1.SigningKey
	err := k.Get(ctx, client.ObjectKey{Name: name}, &key)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("there is no SigningKey %q: `kubectl get signingkeys` lists them", name)
	}
	return &key, err
}

// completeNames offers the names of the SigningKeys of the cluster to the shell.
func (c *cli) completeNames(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	k, err := c.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var list keywrightv1alpha1.SigningKeyList
	if err := k.List(cmd.Context(), &list); err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// say prints to a person. An output that is gone is no error of the command.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }

// again calls look at once and then every period until it says that it is done, or the context ends.
func again(ctx context.Context, period time.Duration, look func() (done bool, err error)) error {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		if done, err := look(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
