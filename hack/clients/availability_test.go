package clients_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/verifier"
)

// fleet is three replicas behind one address, under a mixed load of which every token is verified.
type fleet struct {
	*testing.T
	keys     *keyring
	replicas []*replica
	verifier *verifier.Verifier
	client   *http.Client
	url      string

	mu     sync.Mutex
	issued int
	failed []failure
}

type failure struct {
	at   time.Time
	what string
}

const workers = 8

func newFleet(t *testing.T) *fleet {
	t.Helper()
	a := newAuthority(t)
	f := &fleet{T: t, keys: newKeyring(t), client: a.client()}
	for range 3 {
		f.replicas = append(f.replicas, startIssuer(t, a, f.keys, options{issuer: "https://localhost"}))
	}
	f.url = "https://" + newBalancer(t, f.replicas).address
	v, err := verifier.New(verifier.Config{Issuers: map[string]verifier.Source{"https://localhost": verifier.File(filepath.Join(f.keys.directory, "jwks.json"))}, Audience: audience})
	must(t, err)
	t.Cleanup(v.Close)
	f.verifier = v
	return f
}

// load sends requests until the context ends. No request is sent again.
func (f *fleet) load(ctx context.Context) (wait func()) {
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"batch"}, "client_secret": {secret}}
				if (n+i)%50 == 0 {
					form = url.Values{"grant_type": {"password"}, "client_id": {"web"}, "username": {"alice"}, "password": {password}}
				}
				err := f.one(form)
				f.mu.Lock()
				if f.issued++; err != nil {
					f.failed = append(f.failed, failure{time.Now(), err.Error()})
				}
				f.mu.Unlock()
			}
		})
	}
	return all.Wait
}

func (f *fleet) one(form url.Values) error {
	response, err := f.client.PostForm(f.url+"/token", form)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	_, rest, found := strings.Cut(string(b), `"access_token":"`)
	if response.StatusCode != http.StatusOK || !found {
		return fmt.Errorf("%d %s", response.StatusCode, b)
	}
	token, _, _ := strings.Cut(rest, `"`)
	_, err = f.verifier.Verify(context.Background(), token)
	return err
}

// rotate publishes a key, waits as the controller does, and activates it.
func (f *fleet) rotate() {
	f.Helper()
	f.keys.prepare(f)
	f.pause(2 * time.Second) // the propagation delay of this test: verifier and issuers look more often
	f.keys.activate(f)
	f.pause(2 * time.Second)
	f.keys.retire(f)
}

func (f *fleet) reload() {
	f.Helper()
	for _, r := range f.replicas {
		for _, name := range []string{"issuer.yaml", "users.yaml"} {
			path := filepath.Join(r.directory, name)
			b, err := os.ReadFile(path)
			must(f, err)
			must(f, os.WriteFile(path+".new", append(b, '\n'), 0o600))
			must(f, os.Rename(path+".new", path))
		}
	}
}

func (f *fleet) restart() {
	f.Helper()
	for _, r := range f.replicas {
		must(f, r.terminate())
		r.start()
		f.pause(500 * time.Millisecond) // until the balancer has seen it
	}
}

func (f *fleet) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-f.Context().Done():
	}
}

// Three replicas share nothing. A rolling restart, a reload of every file and a rotation under load lose no request.
func TestNoRequestIsLost(t *testing.T) {
	f := newFleet(t)
	ctx, cancel := context.WithCancel(t.Context())
	wait := f.load(ctx)
	f.rotate()
	f.restart()
	f.reload()
	f.pause(time.Second)
	cancel()
	wait()
	t.Logf("%d requests, %d failed", f.issued, len(f.failed))
	for _, failed := range f.failed {
		t.Error(failed.what)
	}
	if f.issued < 100 {
		t.Error("hardly any load")
	}
}

// TestSoak is `make soak MINUTES=30`: the same for long, with a replica that is killed, flat memory, and no goroutine left
// over.
func TestSoak(t *testing.T) {
	minutes, err := strconv.Atoi(os.Getenv("SOAK_MINUTES"))
	if err != nil {
		t.Skip("for long runs: make soak MINUTES=30")
	}
	f := newFleet(t)
	idle := f.replicas[0].metric("go_goroutines")
	ctx, cancel := context.WithCancel(t.Context())
	wait := f.load(ctx)
	end := time.Now().Add(time.Duration(minutes) * time.Minute)
	var kills []time.Time
	var resident []float64
	for round := 0; time.Now().Before(end); round++ {
		f.rotate()
		f.reload()
		if round%5 == 4 {
			victim := f.replicas[1+round%2] // the first one is measured
			kills = append(kills, time.Now())
			victim.kill()
			if err := <-victim.exited; err == nil {
				t.Error("a killed issuer ended well")
			}
			victim.start()
		}
		f.pause(10 * time.Second)
		resident = append(resident, f.replicas[0].metric("process_resident_memory_bytes")/1e6)
		t.Logf("round %d: %d requests, %d failed, %.1f MB", round, f.issued, len(f.failed), resident[round])
	}
	cancel()
	wait()
	f.client.CloseIdleConnections()
	f.checkFailures(kills)
	if early, late := resident[len(resident)/3], resident[len(resident)-1]; late > 1.2*early+5 {
		t.Errorf("memory grows: %.1f MB after a third, %.1f MB at the end", early, late)
	}
	until(t, "back to the goroutines of the start", 3*time.Minute, func() bool { return f.replicas[0].metric("go_goroutines") <= idle+3 })
}

// checkFailures allows for the requests in flight when a replica was killed, and for those that were sent there until the
// balancer knew.
func (f *fleet) checkFailures(kills []time.Time) {
	f.Helper()
	for _, failed := range f.failed {
		excused := false
		for _, kill := range kills {
			excused = excused || (failed.at.After(kill) && failed.at.Before(kill.Add(time.Second)))
		}
		if !excused {
			f.Errorf("%s: %s", failed.at.Format(time.TimeOnly), failed.what)
		}
	}
	f.Logf("%d requests, %d failed within a second of %d kills", f.issued, len(f.failed), len(kills))
}

// metric reads one from /metrics.
func (r *replica) metric(name string) float64 {
	r.Helper()
	response, err := http.Get(r.probes + "/metrics")
	must(r, err)
	defer func() { _ = response.Body.Close() }()
	b, err := io.ReadAll(response.Body)
	must(r, err)
	_, rest, _ := strings.Cut(string(b), "\n"+name+" ")
	text, _, _ := strings.Cut(rest, "\n")
	value, err := strconv.ParseFloat(text, 64)
	must(r, err)
	return value
}
