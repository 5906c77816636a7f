// Command controller reconciles SigningKeys: it keeps their keys, rotates them, and distributes the public ones.
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
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/keywright/keywright/cmd/commandline"
	"github.com/keywright/keywright/controllers"
)

const about = `Reconciles SigningKeys: makes their keys, rotates them, and distributes the public ones. Runs until SIGTERM.

  controller --key-namespace keywright-system
  controller --release     # before Keywright is uninstalled
  controller version       # print the version
`

func main() {
	opts := controllers.Options{Now: time.Now}
	verbose := flag.Bool("verbose", false, "log details")
	release := flag.Bool("release", false, "instead of controlling, wait until no controller works, say so in the status of all SigningKeys, and end")
	flag.StringVar(&opts.KeyNamespace, "key-namespace", "keywright-system",
		"namespace that Keywright is installed in: the only one with private keys")
	flag.Func("take-over-from", "key namespace of an installation that this one replaces", func(namespace string) error {
		opts.TakeOverFrom = append(opts.TakeOverFrom, namespace)
		return nil
	})
	flag.StringVar(&opts.MetricsBindAddress, "metrics-bind-address", ":8080", "address of /metrics; empty for none")
	flag.StringVar(&opts.HealthProbeBindAddress, "health-probe-bind-address", ":8081",
		"address of /healthz and /readyz; empty for none")
	flag.StringVar(&opts.PprofBindAddress, "pprof-bind-address", "", "address of /debug/pprof, for profiling; empty for none")
	flag.BoolVar(&opts.NudgePods, "nudge-pods", false,
		"after a revocation, touch an annotation of all pods that mount the public keys, so that they know at once; needs the "+
			"rights of config/nudge")
	flag.BoolVar(&opts.Istio, "istio", false,
		"write RequestAuthentications of Istio for SigningKeys with outputs.istio; needs the rights of config/istio")
	flag.BoolVar(&opts.LeaderElect, "leader-elect", true, "work only while holding the Lease, so that several replicas can run")
	flag.DurationVar(&opts.LeaseDuration, "leader-elect-lease-duration", 15*time.Second, "how long a Lease lasts unrenewed")
	flag.DurationVar(&opts.RenewDeadline, "leader-elect-renew-deadline", 10*time.Second, "how long the leader tries to renew before it stops")
	flag.DurationVar(&opts.RetryPeriod, "leader-elect-retry-period", 2*time.Second, "time between tries")
	err := commandline.ParseFlags(flag.CommandLine, about, os.Args[1:], os.Stdout)
	if err == nil {
		err = run(opts, *verbose, *release)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "controller:", err)
	}
	os.Exit(commandline.Code(err))
}

func run(opts controllers.Options, verbose, release bool) error {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // the heap is mostly cache, which stays: little work, and a quarter of the memory saved
	}
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level})))
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	if release {
		return controllers.Release(ctrl.SetupSignalHandler(), config, opts)
	}
	return controllers.Run(ctrl.SetupSignalHandler(), config, opts)
}
