package main

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/client-go/rest"
)

// assumedServer is what client-go connects to where nothing names a cluster (clientcmd.ClusterDefaults).
const assumedServer = "http://localhost:8080"

// config says how to connect to the cluster that the flags name. Where nothing names one, it says so, rather than that localhost refuses.
func (c *cli) config() (*rest.Config, error) {
	config, err := c.flags.ToRESTConfig()
	if err == nil && config.Host == assumedServer && *c.flags.APIServer == "" {
		err = c.unnamed()
	}
	if err != nil {
		return nil, fmt.Errorf("no cluster: %w", err)
	}
	return config, nil
}

// unnamed says that nothing names a cluster, nil if something does.
func (c *cli) unnamed() error {
	loader := c.flags.ToRawKubeConfigLoader()
	found, err := loader.RawConfig()
	switch {
	case err != nil:
		return err
	case found.CurrentContext != "" || *c.flags.Context != "" || *c.flags.ClusterName != "":
		return nil
	case len(found.Contexts) > 0:
		return errors.New("the kubeconfig has no current context: choose one with --context, or with `kubectl config use-context`")
	}
	return fmt.Errorf("no kubeconfig was found at %s: name one with --kubeconfig FILE or in KUBECONFIG",
		strings.Join(loader.ConfigAccess().GetLoadingPrecedence(), ", "))
}
