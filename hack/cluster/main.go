// Command cluster starts a real Kubernetes cluster of one node, in seconds, on a Linux machine where it is root: etcd, API server,
// controller manager, scheduler, kubelet, containerd, kube-proxy and CoreDNS, in namespaces of their own, so that nothing of the
// host is touched but what `down` puts back.
//
//	cluster up        starts it, and prints where its kubeconfig is
//	cluster down      stops it, and removes all that it left
//	cluster check     says why it cannot run here, if it cannot
//	cluster hold C    stops the component C, like kube-apiserver, until
//	cluster release C starts it again
//	cluster rotate    starts the API server again, with a new key for the
//	                  tokens of ServiceAccounts, beside those before
//	cluster sync 10s  starts the kubelet again, with that syncFrequency; 0 is its default
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	var c cluster
	flags := flag.NewFlagSet("cluster", flag.ExitOnError)
	flags.StringVar(&c.state, "state", filepath.Join(os.TempDir(), "keywright-cluster"), "directory of everything that the cluster writes")
	flags.StringVar(&c.controlPlane, "controlplane", "", "directory of etcd, kube-apiserver and kubectl: what hack/controlplane prints")
	flags.StringVar(&c.node, "node", "", "directory of the other binaries: what hack/controlplane prints with -node")
	flags.DurationVar(&c.sync, "sync", 0, "syncFrequency of the kubelet; 0 is its default, a minute")
	images := flags.String("images", "", "archives of images that pods may use, with commas between them")
	flags.Usage = func() {
		say("cluster [flags] up|down|check|hold COMPONENT|release COMPONENT|rotate|sync DURATION")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *images != "" {
		c.images = strings.Split(*images, ",")
	}
	verb, name := flags.Arg(0), flags.Arg(1)
	switch {
	case verb == "up" && name == "":
		return c.up(ctx)
	case verb == "down" && name == "":
		return c.down()
	case verb == "check" && name == "":
		return check()
	case verb == "hold" && name != "":
		return c.hold(ctx, name)
	case verb == "release" && name != "":
		return c.release(name)
	case verb == "rotate" && name == "":
		return c.rotate(ctx)
	case verb == "sync" && name != "":
		return c.resync(ctx, name)
	case verb == inside:
		return c.inside()
	}
	flags.Usage()
	return errors.New("no valid command: see the usage above")
}
