// Command images builds the container images of Keywright as OCI archives, without a container engine: the same files, users and
// entry points that the Dockerfile describes. `ctr images import`, `skopeo copy oci-archive:…` and `podman load` read them. Equal
// sources give equal bytes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.StringVar(&o.source, "source", "../..", "the repository")
	flag.StringVar(&o.out, "out", "../../bin/images", "directory for the archives")
	flag.StringVar(&o.version, "version", "dev", "tag of the images")
	platforms := flag.String("arch", "amd64,arm64", "architectures, with commas between them")
	flag.Parse()
	o.architectures = strings.Split(*platforms, ",")
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

// options are what to build.
type options struct {
	source, out, version string
	architectures        []string
}

// run writes one archive and one bill of materials for each target, and says how far it is.
func run(ctx context.Context, o options) error {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	for _, t := range targets() {
		began := time.Now()
		programs := map[string]string{}
		for _, arch := range o.architectures {
			fmt.Fprintf(os.Stderr, "images: build %s for %s\n", t.program, arch)
			program, err := o.compile(ctx, t, arch)
			if err != nil {
				return err
			}
			programs[arch] = program
		}
		archive := filepath.Join(o.out, t.name+".tar")
		digest, err := o.pack(t, programs, archive)
		if err != nil {
			return fmt.Errorf("pack %s: %w", t.name, err)
		}
		if err := writeBill(programs[o.architectures[0]], t, o.version, filepath.Join(o.out, t.name+".cdx.json")); err != nil {
			return fmt.Errorf("bill of materials of %s: %w", t.name, err)
		}
		fmt.Fprintf(os.Stderr, "images: %s %s, in %v\n", archive, digest, time.Since(began).Round(time.Second))
	}
	return nil
}
