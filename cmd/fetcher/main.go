// Command fetcher fetches the public keys of TrustedIssuers, and writes them into one ConfigMap for the controller. It
// has no permission for Secrets.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/go-logr/logr"
	_ "golang.org/x/crypto/x509roots/fallback" // the image has no certificates of its own: those of Mozilla
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/keywright/keywright/cmd/commandline"
	"github.com/keywright/keywright/cmd/fetcher/handover"
)

const about = `Fetches the public keys of TrustedIssuers, and writes them into one ConfigMap for the controller. Runs until SIGTERM.

  fetcher --key-namespace keywright-system
  fetcher version     # print the version
`

func main() {
	opts := handover.Options{Now: time.Now}
	verbose := flag.Bool("verbose", false, "log details")
	flag.StringVar(&opts.KeyNamespace, "key-namespace", "keywright-system", "namespace in which Keywright is installed")
	flag.StringVar(&opts.MetricsBindAddress, "metrics-bind-address", ":8080", "address of /metrics; empty for none")
	flag.StringVar(&opts.HealthProbeBindAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; empty for none")
	flag.BoolVar(&opts.LeaderElect, "leader-elect", true, "fetch only as the holder of the Lease, so that several replicas can run")
	err := commandline.ParseFlags(flag.CommandLine, about, os.Args[1:], os.Stdout)
	if err == nil {
		err = run(opts, *verbose)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "fetcher:", err)
	}
	os.Exit(commandline.Code(err))
}

func run(opts handover.Options, verbose bool) error {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level})))
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	mgr, err := handover.NewManager(config, opts)
	if err != nil {
		return err
	}
	return mgr.Start(ctrl.SetupSignalHandler())
}
