package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/keywright/keywright/hack/demo/traffic"
)

// stage is everything that runs: the control plane, the processes, the mounts and the load.
type stage struct {
	root, directory string
	options         options

	cluster    cluster
	http       *http.Client
	processes  map[string]*process
	addresses  map[string]string
	started    []*process
	background sync.WaitGroup
	quit       context.CancelFunc

	ledger    *traffic.Ledger
	chronicle *chronicle
	view      *view
}

// step says what is being done, and how long it took.
func step(what string, do func() error) error {
	fmt.Printf("%-60s", what+" ...")
	began := time.Now()
	if err := do(); err != nil {
		fmt.Println()
		return err
	}
	fmt.Printf(" %.1fs\n", time.Since(began).Seconds())
	return nil
}

// up starts everything but the story.
func (s *stage) up(ctx context.Context) error {
	bin := filepath.Join(s.root, "bin", "demo")
	if err := errors.Join(os.RemoveAll(s.directory), os.MkdirAll(s.directory, 0o700), os.MkdirAll(bin, 0o755)); err != nil {
		return err
	}
	var err error
	if s.cluster.assets, err = binaries(ctx, s.root); err != nil {
		return err
	}
	return errors.Join(
		step("Building the controller, the issuer and the example service", func() error { return build(ctx, s.root, bin) }),
		step("Starting etcd and kube-apiserver", func() error { return s.cluster.begin(s.root, s.directory) }),
		step("Applying the CRD, the RBAC, a SigningKey", func() error { return s.install(ctx) }),
		step("Starting the controller, two issuers and two services", func() error { return s.startAll(ctx, bin) }),
		step("Waiting for the first token", func() error { return s.ready(ctx) }),
	)
}

func (s *stage) install(ctx context.Context) error {
	if s.cluster.admin == nil {
		return context.Canceled
	}
	if err := s.cluster.install(ctx, s.root, "shop", "warehouse"); err != nil {
		return err
	}
	return s.cluster.admin.Create(ctx, signingKey())
}

// startAll starts the processes, each pod once its volume is there.
func (s *stage) startAll(ctx context.Context, bin string) error {
	pool, err := certify(s.directory)
	if err != nil {
		return err
	}
	s.http = traffic.NewClient(pool)
	if err := s.describe(bin); err != nil {
		return err
	}
	background, quit := context.WithCancel(context.WithoutCancel(ctx))
	s.quit = quit
	if err := s.start("controller"); err != nil {
		return err
	}
	for pod, volumes := range mounts(s.cluster.admin, s.directory) {
		for _, mount := range volumes {
			within, cancel := context.WithTimeout(ctx, 30*time.Second)
			err := mount.first(within)
			cancel()
			if err != nil {
				return fmt.Errorf("no keys for %s: %w\n%s", pod, err, s.processes["controller"].tail())
			}
		}
		s.background.Go(func() { follow(background, volumes, s.options.lag) })
		if err := s.start(pod); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) start(name string) error {
	s.started = append(s.started, s.processes[name])
	return s.processes[name].start()
}

// ready waits until each issuer gives a token, and each service accepts one.
func (s *stage) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	l := &traffic.Load{HTTP: s.http}
	for _, issuer := range []string{"issuer-1", "issuer-2"} {
		for {
			t, err := traffic.LogIn(ctx, s.http, s.addresses[issuer], alice())
			if err == nil {
				if err = s.accepted(ctx, l, t); err == nil {
					break
				}
			}
			if pause(ctx, 100*time.Millisecond) != nil {
				return fmt.Errorf("no token that is accepted: %w\n%s", err, s.processes[issuer].tail())
			}
		}
	}
	return nil
}

func (s *stage) accepted(ctx context.Context, l *traffic.Load, t traffic.Token) error {
	for _, service := range []string{"shop", "warehouse"} {
		if status, said, err := l.Show(ctx, s.addresses[service], t.Compact); err != nil || status != http.StatusOK {
			return errors.Join(err, errors.New(service+": "+said))
		}
	}
	return nil
}

// play runs load and story, and shows them, until the story or the person ends it.
func (s *stage) play(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Files lag, the verifier looks at them ten times a second, and the controller and the load take their time.
	s.ledger = traffic.NewLedger(propagationDelay + time.Second)
	redraw := !s.options.plain && terminal(os.Stdout)
	s.chronicle = &chronicle{admin: s.cluster.admin, began: time.Now(), lines: map[string][]byte{}, say: func(text string) {
		if !redraw {
			fmt.Println(text)
		}
	}}
	s.view = &view{out: os.Stdout, redraw: redraw, chronicle: s.chronicle, ledger: s.ledger, hints: s.hints()}
	if !redraw {
		fmt.Printf("\nTry in another terminal:\n  %s\n\n", strings.Join(s.view.hints, "\n  "))
	}
	load := &traffic.Load{
		HTTP: s.http, User: alice(), Ledger: s.ledger, Logins: 4, Calls: s.options.rate,
		Issuers:  []string{s.addresses["issuer-1"], s.addresses["issuer-2"]},
		Services: []string{s.addresses["shop"], s.addresses["warehouse"]},
	}
	var all sync.WaitGroup
	all.Go(func() { s.chronicle.follow(ctx) })
	all.Go(func() { load.Run(ctx) })
	period := 10 * time.Second
	if redraw {
		period = 500 * time.Millisecond
	}
	all.Go(func() { traffic.Every(ctx, period, func(context.Context, int) { s.view.show() }) })
	story := &story{chronicle: s.chronicle, ledger: s.ledger, controller: s.processes["controller"], issuer: s.processes["issuer-1"]}
	story.session = &session{http: s.http, issuers: []string{s.addresses["issuer-1"], s.addresses["issuer-2"]}}
	story.bob = &person{
		user: bob(), http: s.http, issuer: s.addresses["issuer-2"], services: []string{s.addresses["shop"], s.addresses["warehouse"]}, lag: s.options.lag,
	}
	err := s.tell(ctx, story)
	cancel()
	all.Wait()
	return err
}

// tell lets the story happen: once and on to the last rotation, or again and again.
func (s *stage) tell(ctx context.Context, story *story) error {
	for {
		if err := story.act(ctx); err != nil {
			return err
		}
		for {
			_, rotations, _ := s.chronicle.state()
			if s.options.once && rotations >= s.options.rotations {
				return pause(ctx, maxLifetime) // the last tokens
			}
			if err := story.nextRotation(ctx); err != nil {
				return err
			}
			if !s.options.once && rotations%10 == 0 {
				break
			}
		}
	}
}

// down stops everything, and leaves only what can be read afterwards: the logs.
func (s *stage) down() {
	if s.quit != nil {
		s.quit()
	}
	s.background.Wait()
	for _, p := range s.started {
		p.stop()
	}
	_ = s.cluster.Stop()
}

// hints are commands that work while the demo runs.
func (s *stage) hints() []string {
	kubectl := fmt.Sprintf("%s --kubeconfig %s", s.relative(filepath.Join(s.cluster.assets, "kubectl")), s.relative(filepath.Join(s.directory, "kubeconfig")))
	ca := s.relative(filepath.Join(s.directory, "ca.crt"))
	return []string{
		kubectl + " get signingkeys,revocations",
		"bin/demo/kubectl-keywright --kubeconfig .demo/kubeconfig status --watch",
		kubectl + " get configmap -n shop keywright-jwks -o yaml",
		fmt.Sprintf("TOKEN=$(curl -s --cacert %s %s/token -d grant_type=password -d client_id=web -d username=%s -d password=%s | cut -d'\"' -f4)",
			ca, s.addresses["issuer-1"], alice().Name, alice().Password),
		fmt.Sprintf("curl --cacert %s %s -H \"Authorization: Bearer $TOKEN\"", ca, s.addresses["shop"]),
	}
}

// relative shortens a path for somebody who stands at the root of the repository.
func (s *stage) relative(path string) string {
	if short, err := filepath.Rel(s.root, path); err == nil && !strings.HasPrefix(short, "..") {
		return short
	}
	if found, err := exec.LookPath(path); err == nil {
		return found
	}
	return path
}
