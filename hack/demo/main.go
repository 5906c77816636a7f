// Command demo shows Keywright at work on a real etcd and kube-apiserver: tokens are issued and verified while their keys
// rotate, processes are killed, and a key is revoked. It counts what the promise forbids, and exits with 1 if it saw any.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// options are what a person can set.
type options struct {
	once      bool
	plain     bool
	rotations int
	rate      int
	lag       time.Duration
}

func main() {
	var o options
	flag.BoolVar(&o.once, "once", os.Getenv("ONCE") != "", "end after --rotations, with a summary (also: ONCE=1)")
	flag.BoolVar(&o.plain, "plain", false, "print lines instead of drawing a screen; the default if the output is not a terminal")
	flag.IntVar(&o.rotations, "rotations", 10, "with --once: end after this many rotations, at least 6")
	flag.IntVar(&o.rate, "rate", 500, "verifications per second")
	flag.DurationVar(&o.lag, "lag", 2*time.Second, "the longest delay of mounted files; the propagation delay is "+propagationDelay.String())
	flag.Parse()
	log.SetLogger(logr.Discard()) // what starts the API server logs through it, and complains if nobody sets one
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.rotations < 6 || o.rate < 1 || o.lag <= 0 {
		return errors.New("--rotations must be at least 6, --rate and --lag more than 0")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return err
	}
	s := &stage{root: root, directory: filepath.Join(root, ".demo"), options: o}
	defer s.down()
	if err := s.up(ctx); err != nil {
		return interrupted(ctx, err)
	}
	err = s.play(ctx)
	s.view.summary()
	if err = interrupted(ctx, err); err != nil {
		return err
	}
	if t, _ := s.ledger.Snapshot(); t.Broken() {
		return errors.New("a guarantee was violated: see above")
	}
	if _, rotations, _ := s.chronicle.state(); o.once && rotations < o.rotations {
		return fmt.Errorf("only %d rotations", rotations)
	}
	fmt.Println("\nNo valid token was rejected, and no revoked key was accepted.")
	return nil
}

// interrupted hides the errors of what Ctrl-C stopped.
func interrupted(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}

// freeAddress returns an address of this host that nobody listens at.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
