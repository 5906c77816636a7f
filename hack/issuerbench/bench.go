package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const connections = 16

// bench has the files and binaries of a run.
type bench struct {
	ctx       context.Context //nolint:containedctx // the program's own
	directory string
	self      string
	issuer    string
	// subject is a token that is exchanged.
	subject *subject
}

func newBench(ctx context.Context) (*bench, error) {
	directory, err := os.MkdirTemp("", "issuerbench")
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	b := &bench{ctx: ctx, directory: directory, self: self, issuer: filepath.Join(directory, "issuer")}
	build := exec.CommandContext(ctx, "go", "-C", "../..", "build", "-trimpath", "-ldflags=-s -w", "-o", b.issuer, "./cmd/issuer")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, failed := build.CombinedOutput(); failed != nil {
		err = errors.Join(err, fmt.Errorf("build the issuer: %w\n%s", failed, out))
	}
	subject, failed := newSubject(directory)
	b.subject = subject
	return b, errors.Join(err, failed, writeCertificate(directory), writeKey(directory))
}

func (b *bench) close() { _ = os.RemoveAll(b.directory) }

// start starts "static", "raw" or "issuer".
func (b *bench) start(kind string) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	log := filepath.Join(b.directory, kind+".log")
	if kind != "issuer" {
		return start(b.ctx, log, address, b.self, "floor", kind, address, b.directory)
	}
	if _, err := os.Stat(filepath.Join(b.directory, "users.yaml")); err != nil {
		if err := b.users(""); err != nil {
			return nil, err
		}
	}
	text, err := os.ReadFile(filepath.Join(b.directory, "issuer.yaml"))
	if err != nil {
		return nil, err
	}
	text = bytes.ReplaceAll(text, []byte("ADDRESS"), []byte(address))
	config := filepath.Join(b.directory, "running.yaml")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return nil, err
	}
	return start(b.ctx, log, address, b.issuer, "serve", "--config", config)
}

func (b *bench) users(list string) error {
	return writeFiles(b.directory, "ADDRESS", "127.0.0.1:0", list)
}

// requests measures the CPU time of a client credentials request. The servers take turns, a third of a second each, so that
// whatever else the machine does meets all of them.
func (b *bench) requests(rounds int) error {
	kinds := []string{"static", "raw", "issuer"}
	servers := map[string]*process{}
	for _, kind := range kinds {
		p, err := b.start(kind)
		if err != nil {
			return err
		}
		defer p.stop()
		servers[kind] = p
	}
	kept, fresh := map[string][]float64{}, map[string][]float64{}
	var exchanges, sums []float64
	for range 5 * rounds {
		for _, kind := range kinds {
			cost, err1 := servers[kind].cost(clientCredentials(), false)
			costFresh, err2 := servers[kind].cost(clientCredentials(), true)
			if err := errors.Join(err1, err2); err != nil {
				return err
			}
			kept[kind], fresh[kind] = append(kept[kind], cost), append(fresh[kind], costFresh)
		}
		exchange, err := servers["issuer"].cost(b.subject.exchange(), false)
		if err != nil {
			return err
		}
		exchanges, sums = append(exchanges, exchange), append(sums, kept["raw"][len(kept["raw"])-1]+b.subject.check())
	}
	defer func() {
		fmt.Printf("\ntoken exchange, RS256 verified and ES256 signed: %.1f µs, %.2f x the sum of the bare signature check and B\n",
			median(exchanges), ratio(exchanges, sums))
	}()
	fmt.Println("| client credentials, ES256 | CPU µs a request | x A | x B | CPU µs with a new TLS connection | x A |")
	fmt.Println("|---|---|---|---|---|---|")
	for i, kind := range kinds {
		name := []string{"A: constant answer", "B: raw signature", "issuer, with audit log and metrics"}[i]
		fmt.Printf("| %s | %.1f | %.2f | %.2f | %.0f | %.2f |\n", name, median(kept[kind]), ratio(kept[kind], kept["static"]),
			ratio(kept[kind], kept["raw"]), median(fresh[kind]), ratio(fresh[kind], fresh["static"]))
	}
	return nil
}

// cost is the CPU time of a request in µs.
func (p *process) cost(body []byte, fresh bool) (float64, error) {
	before := p.cpu()
	r, err := closed(p.address, body, connections, 333*time.Millisecond, fresh)
	if err != nil {
		return 0, err
	}
	if r.statuses[200] != len(r.latencies) {
		return 0, fmt.Errorf("answers %v", r.statuses)
	}
	return float64(p.cpu()-before) / 1e3 / float64(len(r.latencies)), nil
}

// starts measures how long it takes from the start of a process to its first TLS connection.
func (b *bench) starts(rounds int) error {
	took := map[string][]float64{}
	for range rounds {
		for _, kind := range []string{"raw", "issuer"} {
			p, err := b.start(kind)
			if err != nil {
				return err
			}
			p.stop()
			took[kind] = append(took[kind], float64(p.ready)/1e6)
		}
	}
	fmt.Printf("\nstart to the first TLS connection: issuer %.0f ms, B %.0f ms\n", median(took["issuer"]), median(took["raw"]))
	return nil
}

// memory measures the resident memory, idle and over many tokens.
func (b *bench) memory(tokens int) error {
	p, err := b.start("issuer")
	if err != nil {
		return err
	}
	defer p.stop()
	line := []string{fmt.Sprintf("idle %.1f MB", p.rss())}
	for done, step := 0, 1; done < tokens; step++ {
		r, err := closed(p.address, clientCredentials(), connections, 2*time.Second, false)
		if err != nil {
			return err
		}
		if done += len(r.latencies); done >= step*tokens/4 || done >= tokens {
			line = append(line, fmt.Sprintf("after %d tokens %.1f MB", done, p.rss()))
		}
	}
	fmt.Printf("\nresident memory: %s\n", strings.Join(line, ", "))
	return nil
}

// storms measures other requests while 32 clients log in as fast as they can.
func (b *bench) storms(rounds int) error {
	slow, err := bcryptHash()
	if err != nil {
		return err
	}
	fast, err := b.argon2id()
	if err != nil {
		return err
	}
	fmt.Println("\n| 32 clients log in, 100 client credentials a second | p50 | p99 of those | logins a second | of what hashing alone allows |")
	fmt.Println("|---|---|---|---|---|")
	for _, storm := range []struct{ name, hash string }{{"bcrypt, cost 10", slow}, {"argon2id, 19 MiB, 2 passes", fast}} {
		if err := b.users(user(storm.hash)); err != nil {
			return err
		}
		var p50, p99, logins, shares []float64
		refused := 0
		for range rounds {
			alone, err := b.hashesAlone(storm.hash)
			if err != nil {
				return err
			}
			others, storming, err := b.storm()
			if err != nil {
				return err
			}
			p50, p99 = append(p50, others.quantile(.5).Seconds()*1e3), append(p99, others.quantile(.99).Seconds()*1e3)
			logins, shares = append(logins, storming.rate(200)), append(shares, storming.rate(200)/alone)
			refused += storming.statuses[503]
		}
		fmt.Printf("| %s | %.1f ms | %.1f ms | %.1f | %.2f (%d times 503) |\n", storm.name, median(p50), median(p99), median(logins), median(shares), refused)
	}
	return nil
}

func (b *bench) storm() (others, storming *result, err error) {
	p, err := b.start("issuer")
	if err != nil {
		return nil, nil, err
	}
	defer p.stop()
	done := make(chan error, 1)
	go func() {
		var err error
		storming, err = closed(p.address, logIn(), 32, 5*time.Second, false)
		done <- err
	}()
	others, err = paced(p.address, clientCredentials(), 10*time.Millisecond, 4*time.Second)
	return others, storming, errors.Join(err, <-done)
}

func (b *bench) argon2id() (string, error) {
	cmd := exec.CommandContext(b.ctx, b.issuer, "hash")
	cmd.Stdin = strings.NewReader(password + "\n")
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

// hashesAlone is how many logins a second one client gets that has the issuer for itself: what hashing alone allows.
func (b *bench) hashesAlone(hash string) (float64, error) {
	p, err := b.start("issuer")
	if err != nil {
		return 0, err
	}
	defer p.stop()
	r, err := closed(p.address, logIn(), 1, 3*time.Second, false)
	if err != nil {
		return 0, err
	}
	return r.rate(200), nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// ratio is the median of the ratios of pairs that were taken in the same round.
func ratio(a, b []float64) float64 {
	pairs := make([]float64, len(a))
	for i := range a {
		pairs[i] = a[i] / b[i]
	}
	return median(pairs)
}
