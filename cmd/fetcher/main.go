// Command fetcher fetches the public keys of TrustedIssuers, and hands them to the controller in one ConfigMap. It has no right on Secrets.
package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/go-logr/logr"
	_ "golang.org/x/crypto/x509roots/fallback" // the image has no certificates of its own: those of Mozilla
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/keywright/keywright/cmd/fetcher/handover"
)

func main() {
	opts := handover.Options{Now: time.Now}
	verbose := flag.Bool("verbose", false, "log details")
	flag.StringVar(&opts.KeyNamespace, "key-namespace", "keywright-system", "namespace that Keywright is installed in")
	flag.StringVar(&opts.MetricsBindAddress, "metrics-bind-address", ":8080", "address of /metrics; empty for none")
	flag.StringVar(&opts.HealthProbeBindAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; empty for none")
	flag.BoolVar(&opts.LeaderElect, "leader-elect", true, "fetch only while holding the Lease, so that several replicas can run")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "fetcher: unexpected argument %q; see --help\n", flag.Arg(0))
		os.Exit(2)
	}
	if err := run(opts, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "fetcher:", err)
		os.Exit(1)
	}
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
