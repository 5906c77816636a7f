package clients_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// fleet is three replicas behind one address.
type fleet struct {
	*testing.T
	authority *authority
	keys      *keyring
	replicas  []*replica
	load      *load
}

// newFleet starts them. users says where the users of each replica are, "" for a list.
func newFleet(t *testing.T, users [3]string) *fleet {
	t.Helper()
	f := &fleet{T: t, authority: newAuthority(t), keys: newKeyring(t)}
	f.keys.allowSessions(t)
	customers := newCustomers(t)
	for i := range users {
		o := customers.options()
		o.users = users[i]
		f.replicas = append(f.replicas, startIssuer(t, f.authority, f.keys, o))
	}
	f.load = newLoad(t, f.authority, "https://"+newBalancer(t, f.replicas).address, filepath.Join(f.keys.Directory, "jwks.json"), customers)
	return f
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

// reload writes every file anew, and waits for the certificate, which is another one.
func (f *fleet) reload() {
	f.Helper()
	certificate := f.authority.renew(f)
	f.keys.write(f)
	for _, r := range f.replicas {
		for _, name := range []string{"issuer.yaml", "users.yaml"} {
			path := filepath.Join(r.directory, name)
			b, err := os.ReadFile(path)
			must(f, err)
			must(f, os.WriteFile(path+".new", append(b, '\n'), 0o600))
			must(f, os.Rename(path+".new", path))
		}
	}
	for _, r := range f.replicas {
		until(f, "serving the new certificate", 20*time.Second, func() bool { return r.serves(certificate, f.authority.pool) })
	}
}

func (r *replica) serves(certificate *x509.Certificate, trust *x509.CertPool) bool {
	r.Helper()
	c, err := tls.Dial("tcp", strings.TrimPrefix(r.url, "https://"), &tls.Config{RootCAs: trust})
	must(r, err)
	defer func() { _ = c.Close() }()
	return c.ConnectionState().PeerCertificates[0].Equal(certificate)
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
	f := newFleet(t, [3]string{})
	ctx, cancel := context.WithCancel(t.Context())
	wait := f.load.start(ctx)
	f.rotate()
	f.restart()
	f.reload()
	f.pause(time.Second)
	cancel()
	wait()
	t.Log(f.load)
	for _, failed := range f.load.failed {
		t.Error(failed.what)
	}
	f.load.checkMix(t)
}

// TestSoak is `make soak MINUTES=30`: the same for long, with users in LDAP for two of the three, a replica that is killed, flat memory, and no goroutine left
// over.
func TestSoak(t *testing.T) {
	minutes, err := strconv.Atoi(os.Getenv("SOAK_MINUTES"))
	if err != nil {
		t.Skip("for long runs: make soak MINUTES=30")
	}
	directory := newDirectory(t)
	f := newFleet(t, [3]string{"", directory, directory}) // the first one hashes passwords, and the others ask LDAP
	var idle []float64
	for _, r := range f.replicas {
		idle = append(idle, r.metric("go_goroutines"))
	}
	ctx, cancel := context.WithCancel(t.Context())
	wait := f.load.start(ctx)
	end := time.Now().Add(time.Duration(minutes) * time.Minute)
	var kills []time.Time
	var resident []float64
	for round := 0; time.Now().Before(end); round++ {
		f.rotate()
		f.reload()
		if round%5 == 4 {
			victim := f.replicas[1+round%2] // the memory of the first one is measured
			kills = append(kills, time.Now())
			victim.kill()
			if err := <-victim.exited; err == nil {
				t.Error("a killed issuer ended well")
			}
			victim.start()
		}
		f.pause(10 * time.Second)
		resident = append(resident, f.replicas[0].metric("process_resident_memory_bytes")/1e6)
		t.Logf("round %d: %s, %.1f MB", round, f.load, resident[round])
	}
	cancel()
	wait()
	f.checkFailures(kills)
	f.load.checkMix(t)
	if early, late := resident[len(resident)/3], resident[len(resident)-1]; late > 1.2*early+5 {
		t.Errorf("memory grows: %.1f MB after a third, %.1f MB at the end", early, late)
	}
	for i, r := range f.replicas { // also of those that were killed: what was started again is the same
		until(t, fmt.Sprintf("back to the goroutines of the start: replica %d", i), 3*time.Minute, func() bool { return r.metric("go_goroutines") <= idle[i]+3 })
	}
}

// checkFailures allows for the requests in flight when a replica was killed, and for those that were sent there until the
// balancer knew.
func (f *fleet) checkFailures(kills []time.Time) {
	f.Helper()
	for _, failed := range f.load.failed {
		excused := false
		for _, kill := range kills {
			excused = excused || (failed.at.After(kill) && failed.at.Before(kill.Add(time.Second)))
		}
		if !excused {
			f.Errorf("%s: %s", failed.at.Format(time.TimeOnly), failed.what)
		}
	}
	f.Logf("%s within a second of %d kills", f.load, len(kills))
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
