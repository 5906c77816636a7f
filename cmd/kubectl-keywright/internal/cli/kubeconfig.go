package cli

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/client-go/rest"
)

// assumedServer is the server that client-go assumes if nothing names a cluster (clientcmd.ClusterDefaults).
const assumedServer = "http://localhost:8080"

// config returns the connection to the cluster that the flags select. If nothing selects one, the error says so, instead of that localhost
// refuses connections.
func (e *Env) config() (*rest.Config, error) {
	config, err := e.flags.ToRESTConfig()
	if err == nil && config.Host == assumedServer && *e.flags.APIServer == "" {
		err = e.checkNamed()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot determine the cluster: %w", err)
	}
	return config, nil
}

// checkNamed returns an error if neither a flag nor a kubeconfig names a cluster.
func (e *Env) checkNamed() error {
	loader := e.flags.ToRawKubeConfigLoader()
	found, err := loader.RawConfig()
	switch {
	case err != nil:
		return err
	case found.CurrentContext != "" || *e.flags.Context != "" || *e.flags.ClusterName != "":
		return nil
	case len(found.Contexts) > 0:
		return errors.New("the kubeconfig has no current context: choose one with --context, or with `kubectl config use-context`")
	}
	return fmt.Errorf("no kubeconfig was found at %s: name one with --kubeconfig FILE or in KUBECONFIG",
		strings.Join(loader.ConfigAccess().GetLoadingPrecedence(), ", "))
}
