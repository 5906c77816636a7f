package rotation_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/controllers/rotation"
)

// source lets the source hold certificates.
func (s *shell) source(all ...string) {
	s.seen.CA = rotation.CASource{Known: true}
	for _, c := range all {
		s.seen.CA.Certificates = append(s.seen.CA.Certificates, []byte(c))
	}
}

// wantCA checks what is distributed.
func (s *shell) wantCA(all ...string) {
	s.Helper()
	var got []string
	for _, c := range s.ring.CACertificates() {
		got = append(got, string(c))
	}
	if !slices.Equal(got, all) {
		s.Fatalf("at %v the CA is %v, want %v", s.now, got, all)
	}
}

// overlap is the propagation delay and the clock skew of a shell.
const overlap = 16 * time.Minute

func TestRemovedCertificateStaysForThePropagationDelay(t *testing.T) {
	s := newShell(t)
	s.settle()
	s.wantCA()
	s.source("b")
	before := s.ring.Generation
	s.settle()
	s.wantCA("b")
	if s.ring.Generation != before+1 {
		t.Errorf("the generation went from %d to %d", before, s.ring.Generation)
	}
	s.pass(time.Minute)
	s.source("a", "c")
	s.settle()
	s.wantCA("a", "b", "c")
	s.pass(overlap - time.Nanosecond)
	s.wantCA("a", "b", "c")
	before = s.ring.Generation
	s.pass(time.Nanosecond)
	s.wantCA("a", "c")
	if s.ring.Generation != before+1 {
		t.Errorf("the generation went from %d to %d", before, s.ring.Generation)
	}
	s.source()
	s.settle()
	s.wantCA("a", "c")
	s.pass(overlap)
	s.wantCA()
	if d := s.plan(); !d.Next.Equal(s.ring) || s.ring.CA != nil {
		t.Error("there is something left to write")
	}
}

// Nothing of the files changes when a certificate leaves the source, or comes back in time.
func TestCertificateThatComesBackStays(t *testing.T) {
	s := newShell(t)
	s.source("a", "b")
	s.settle()
	before := s.ring.Generation
	s.source("a")
	s.settle()
	s.pass(overlap - time.Second)
	s.source("b", "a")
	s.settle()
	s.pass(overlap)
	s.wantCA("a", "b")
	if s.ring.Generation != before {
		t.Errorf("the generation went from %d to %d", before, s.ring.Generation)
	}
	s.source("a")
	s.settle()
	s.pass(overlap - time.Second)
	s.wantCA("a", "b") // the time is counted anew
}

func TestSourceThatCannotBeUsedChangesNothing(t *testing.T) {
	s := newShell(t)
	s.source("a", "b")
	s.settle()
	s.source("b")
	s.settle()
	s.seen.CA = rotation.CASource{}
	s.pass(overlap - time.Second)
	s.wantCA("a", "b")
	s.pass(time.Second)
	s.wantCA("b") // which left it before
	s.pass(time.Hour)
	s.wantCA("b")
}

// A pass that was held up decides by when it read, and notes the later time.
func TestStalledPassKeepsCertificates(t *testing.T) {
	s := newShell(t)
	s.source("a")
	s.settle()
	s.source("b")
	s.settle()
	s.seen.At = s.time()
	s.now += time.Hour
	s.source("c")
	d := s.plan()
	if got := d.Next.CA; len(got) != 3 || !got[0].LeftAt.Equal(epoch) || !got[1].LeftAt.Equal(s.time()) || !got[2].LeftAt.IsZero() {
		t.Errorf("the CA is %+v", got)
	}
	s.seen.At = time.Time{}
	s.ring = d.Next
	s.settle()
	s.wantCA("b", "c")
}

func TestSourceThatChangesTooOftenWaits(t *testing.T) {
	s := newShell(t)
	some := func(of string) (all []string) {
		for i := range rotation.MaxCASource {
			all = append(all, fmt.Sprintf("%s%02d", of, i))
		}
		return all
	}
	a, b, c := some("a"), some("b"), some("c")
	s.source(a...)
	s.settle()
	s.source(b...)
	s.settle()
	s.wantCA(slices.Concat(a, b)...)
	s.pass(time.Minute)
	s.source(c...)
	s.settle()
	s.wantCA(slices.Concat(a, b)...)
	if !s.plan().CAFull {
		t.Error("nobody is told")
	}
	s.pass(overlap - time.Minute)
	s.wantCA(slices.Concat(b, c)...)
	if s.plan().CAFull {
		t.Error("it is still said")
	}
	s.pass(overlap)
	s.wantCA(c...)
}

// Who changes a source of few, large certificates again and again does not make the keyring too large to be written.
func TestSourceOfLargeCertificatesWaits(t *testing.T) {
	s := newShell(t)
	large := func(name string) string { return name + strings.Repeat("x", rotation.MaxCABytes/2-len(name)) }
	s.source(large("a"))
	s.settle()
	s.source(large("b"))
	s.settle()
	s.wantCA(large("a"), large("b"))
	s.source("c")
	s.settle()
	s.wantCA(large("a"), large("b"))
	if !s.plan().CAFull {
		t.Error("nobody is told")
	}
	s.source(large("a")) // which is there
	s.settle()
	if s.plan().CAFull {
		t.Error("it is said of a source that is taken up")
	}
	s.source("c")
	s.pass(overlap)
	s.settle()
	s.wantCA(large("a"), "c")
	encoded, err := s.ring.Encode()
	if err != nil || len(encoded) > 2*rotation.MaxCABytes {
		t.Errorf("%d bytes, %v", len(encoded), err)
	}
}

// Clients trust the issuer while there are tokens to verify, and no longer.
func TestCAIsRemovedWithTheKeys(t *testing.T) {
	for name, end := range map[string]func(*rotation.Policy){
		"Drain":  func(p *rotation.Policy) { p.Draining = true },
		"Delete": func(p *rotation.Policy) { p.Deleting = true },
	} {
		t.Run(name, func(t *testing.T) {
			s := newShell(t)
			s.source("a")
			s.settle()
			s.pass(time.Minute)
			end(&s.policy)
			s.settle()
			if len(s.ring.PublishedIDs()) > 0 {
				s.wantCA("a")
			}
			s.pass(time.Hour)
			s.wantPublished()
			s.wantCA()
		})
	}
}

// A keyring that was rebuilt knows no certificate. Until it has seen the source, what is distributed stays.
func TestRebuiltKeyringWaitsForTheSource(t *testing.T) {
	s := newShell(t)
	s.source("a")
	s.settle()
	rebuilt := rotation.Rebuild(s.time(), s.ring.Generation, s.ring.Active(), nil, nil, nil)
	s.ring, s.seen.CA = rebuilt, rotation.CASource{}
	s.settle()
	if !s.ring.CAUnknown {
		t.Fatal("it knows the CA")
	}
	before := s.ring.Generation
	s.source("b")
	s.settle()
	s.wantCA("b")
	if s.ring.CAUnknown || s.ring.Generation != before+1 {
		t.Errorf("unknown %v, and the generation went from %d to %d", s.ring.CAUnknown, before, s.ring.Generation)
	}
	s.ring, s.seen.CA = rebuilt.Clone(), rotation.CASource{}
	s.write()
	s.settle()
	before = s.ring.Generation
	s.source()
	s.settle()
	if s.ring.CAUnknown || s.ring.Generation == before {
		t.Error("a SigningKey without a CA keeps one")
	}
}

func TestKeyringHoldsTheCA(t *testing.T) {
	s := newShell(t)
	s.source("b", "a")
	s.settle()
	s.source("b")
	s.settle()
	encoded, err := s.ring.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := rotation.Decode(encoded)
	if err != nil || len(back.CA) != 2 || !back.CA[0].LeftAt.Equal(s.time()) || !back.CA[1].LeftAt.IsZero() {
		t.Fatalf("%+v, %v", back.CA, err)
	}
	for name, wrong := range map[string]string{
		"an empty one":  strings.Replace(string(encoded), `"der":"YQ=="`, `"der":""`, 1),
		"one twice":     strings.Replace(string(encoded), `"der":"YQ=="`, `"der":"Yg=="`, 1),
		"another order": strings.Replace(string(encoded), `"der":"YQ=="`, `"der":"Yw=="`, 1),
	} {
		if _, err := rotation.Decode([]byte(wrong)); err == nil || wrong == string(encoded) {
			t.Errorf("%s is read", name)
		}
	}
}
