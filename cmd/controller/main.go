// Command controller reconciles SigningKeys and TrustedIssuers: it creates and rotates keys, and distributes public
// keys.
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

const about = `Reconciles SigningKeys and TrustedIssuers: creates and rotates keys, and distributes public keys. Runs until SIGTERM.

  controller --key-namespace keywright-system
  controller --release     # before Keywright is uninstalled
  controller version       # print the version
`

func main() {
	opts := controllers.Options{Now: time.Now}
	verbose := flag.Bool("verbose", false, "log details")
	release := flag.Bool("release", false, "wait until no controller runs, report that in the status of all SigningKeys and TrustedIssuers, and exit")
	flag.StringVar(&opts.KeyNamespace, "key-namespace", "keywright-system",
		"namespace in which Keywright is installed: the only one with private keys")
	flag.Func("take-over-from", "key namespace of an installation that this one replaces; can be repeated", func(namespace string) error {
		opts.TakeOverFrom = append(opts.TakeOverFrom, namespace)
		return nil
	})
	flag.StringVar(&opts.MetricsBindAddress, "metrics-bind-address", ":8080", "address of /metrics; empty for none")
	flag.StringVar(&opts.HealthProbeBindAddress, "health-probe-bind-address", ":8081",
		"address of /healthz and /readyz; empty for none")
	flag.StringVar(&opts.PprofBindAddress, "pprof-bind-address", "", "address of /debug/pprof, for profiling; empty for none")
	flag.BoolVar(&opts.NudgePods, "nudge-pods", false,
		"after a revocation, change an annotation of all pods that mount the public keys, so that kubelets renew their files at "+
			"once; requires the permissions of config/nudge")
	flag.BoolVar(&opts.Istio, "istio", false,
		"write Istio's RequestAuthentications for SigningKeys with outputs.istio; requires the permissions of config/istio")
	flag.BoolVar(&opts.LeaderElect, "leader-elect", true, "run only as the holder of the Lease, so that several replicas can run")
	flag.DurationVar(&opts.LeaseDuration, "leader-elect-lease-duration", 15*time.Second, "time after which a Lease expires if it is not renewed")
	flag.DurationVar(&opts.RenewDeadline, "leader-elect-renew-deadline", 10*time.Second, "time after which the leader stops if it cannot renew the Lease")
	flag.DurationVar(&opts.RetryPeriod, "leader-elect-retry-period", 2*time.Second, "time between attempts to acquire or renew the Lease")
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
		debug.SetGCPercent(50) // the heap is mostly cache: costs little CPU, and saves a quarter of the memory
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
