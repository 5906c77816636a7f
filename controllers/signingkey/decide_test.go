package signingkey

import (
	"errors"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/keystore"
	"github.com/keywright/keywright/controllers/rotation"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// seen returns the observations of a SigningKey with one Active key, its Secret, and a namespace that holds the key.
func seen(change func(p *pass)) *pass {
	key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "main"}}
	policy := rotation.Policy{
		KeySpec: rotation.KeySpec{Algorithm: "ES256"}, Interval: time.Hour, MaxLifetime: 10 * time.Minute, ClockSkew: time.Minute,
		PropagationDelay: 15 * time.Minute,
	}
	ring := rotation.Keyring{Version: 1, Generation: 7, EverActive: true, Spec: policy.KeySpec, Keys: []rotation.Key{{
		ID: "k1", KeySpec: policy.KeySpec, State: rotation.Active, Public: []byte(`{"kid":"k1"}`), Private: []byte(`{"kid":"k1","d":"x"}`),
		PreparedAt: noon.Add(-time.Hour), PublishedAt: noon.Add(-time.Hour), ActivatedAt: noon.Add(-time.Minute), SigningFrom: noon.Add(-time.Minute),
	}}}
	p := &pass{name: "main", key: key, policy: policy, at: noon, now: noon}
	p.keyring = keystore.Keyring{Object: &corev1.Secret{}, Ring: ring, Read: ring}
	p.secret, _ = keystore.Project("keys", "main", &ring, policy, nil)
	p.targets.holders = []string{"shop"}
	change(p)
	p.observed.At, p.observed.Secret = noon, keystore.Observe(p.secret)
	return p
}

func deleted(policy rotation.Policy, draining, deleting bool) rotation.Policy {
	policy.Draining, policy.Deleting = draining, deleting
	return policy
}

// The decision covers trouble, deletion and retention.
func TestDecision(t *testing.T) {
	unreadable := func(p *pass) {
		p.unreadable = &keystore.UnreadableError{}
		p.keyring.Ring, p.keyring.Read = rotation.Keyring{}, rotation.Keyring{}
	}
	gone := func(p *pass) { p.keyring, p.secret = keystore.Keyring{}, nil }
	terminating := func(p *pass) { p.key.DeletionTimestamp = &metav1.Time{Time: noon} }
	for name, c := range map[string]struct {
		seen                   func(p *pass)
		reason                 string
		frozen, release, ended bool
	}{
		"all is well":       {seen: func(*pass) {}},
		"nothing yet":       {seen: func(p *pass) { gone(p); p.targets.holders = nil }},
		"no SigningKey":     {seen: func(p *pass) { p.key = nil }},
		"keyring lost":      {seen: func(p *pass) { p.keyring = keystore.Keyring{} }, reason: keywrightv1alpha1.ReasonKeyringInvalid, frozen: true},
		"unreadable":        {seen: unreadable, reason: keywrightv1alpha1.ReasonKeyringInvalid, frozen: true},
		"both Secrets lost": {seen: gone, reason: keywrightv1alpha1.ReasonKeysLost, frozen: true},
		"restored": {seen: func(p *pass) {
			p.keyring.Ring.Generation, p.keyring.Read.Generation = 3, 3
		}, reason: keywrightv1alpha1.ReasonKeyringRestored, frozen: true},
		"another key type": {seen: func(p *pass) { p.policy.Algorithm = "EdDSA" }, reason: keywrightv1alpha1.ReasonKeyTypeDiffers},
		"retained":         {seen: terminating, release: true},
		"retained, with a revocation that is not recorded": {seen: func(p *pass) {
			terminating(p)
			p.requested = []string{"k9"}
		}},
		"retained, unreadable": {
			seen:   func(p *pass) { terminating(p); unreadable(p) },
			reason: keywrightv1alpha1.ReasonKeyringInvalid, frozen: true,
		},
		"retained, lost": {seen: func(p *pass) { terminating(p); gone(p) }, reason: keywrightv1alpha1.ReasonKeysLost, frozen: true},
		"deleted, unreadable": {seen: func(p *pass) {
			terminating(p)
			unreadable(p)
			p.policy = deleted(p.policy, false, true)
		}},
		"deleted, never any": {seen: func(p *pass) {
			terminating(p)
			gone(p)
			p.targets.holders, p.policy = nil, deleted(p.policy, false, true)
		}, ended: true},
		"drained, unreadable": {seen: func(p *pass) {
			terminating(p)
			unreadable(p)
			p.policy = deleted(p.policy, true, false)
		}, reason: keywrightv1alpha1.ReasonKeyringInvalid, frozen: true},
	} {
		p := seen(c.seen)
		if err := p.decide(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		reason := ""
		if p.trouble != nil {
			reason = p.trouble.reason
		}
		if reason != c.reason || p.frozen() != c.frozen || p.release != c.release || p.decision.Ended != c.ended {
			t.Errorf("%s: reason %q, frozen %v, release %v, ended %v", name, reason, p.frozen(), p.release, p.decision.Ended)
		}
	}
}

// In any trouble, a projection has no revoked key.
func TestProjectionRemovesRevokedKeys(t *testing.T) {
	for name, change := range map[string]func(p *pass){
		"all is well":              func(*pass) {},
		"the keyring is refused":   func(p *pass) { p.unrecorded = true },
		"the keyring is not there": func(p *pass) { p.unrecorded, p.keyring = true, keystore.Keyring{} },
		"frozen":                   func(p *pass) { p.freeze("Trouble", "trouble") },
		"deleted, and the Secret is refused": func(p *pass) {
			p.policy, p.refusal = deleted(p.policy, false, true), errors.New("refused")
		},
	} {
		p := seen(func(p *pass) { p.policy.Revoked = []string{"k1"}; change(p) })
		if err := p.decide(); err != nil {
			t.Fatal(err)
		}
		if !p.unrecorded && !p.frozen() {
			p.keyring.Ring = p.decision.Next
		}
		projection, answered := p.projection("keys")
		if !answered || !slices.Contains(projection.Revoked, "k1") {
			t.Errorf("%s: the projection does not say that k1 is revoked: %+v", name, projection)
		}
		if slices.Contains(issuerfiles.KeyIDs([]byte(projection.Files.KeySet)), "k1") {
			t.Errorf("%s: k1 is still in the key set", name)
		}
	}
}

// A name without a SigningKey has the projection of its retained keyring, or none.
func TestProjectionOfARetainedName(t *testing.T) {
	p := seen(func(p *pass) { p.key = nil })
	if projection, answered := p.projection("keys"); !answered || projection.Frozen || projection.Selector != nil || projection.KeyNamespace != "" {
		t.Errorf("a readable keyring: %v %+v", answered, projection)
	}
	p.keyring = keystore.Keyring{}
	if projection, answered := p.projection("keys"); !answered || !projection.Frozen {
		t.Errorf("a Secret without a keyring: %v %+v", answered, projection)
	}
	p.secret = nil
	if _, answered := p.projection("keys"); answered {
		t.Error("nothing was retained, and something is to be distributed")
	}
}

// Entries of the key namespace's list are recorded if the list was made from this keyring, but not if they have expired
// since.
func TestWhatFilesAloneEndIsRecorded(t *testing.T) {
	for name, c := range map[string]struct {
		generation int64
		change     func(*pass)
		want       int
	}{
		"a list of this keyring":   {7, func(*pass) {}, 2},
		"a list of an older one":   {6, func(*pass) {}, 0},
		"without a keyring":        {7, func(p *pass) { p.keyring.Object = nil }, 0},
		"with one that is garbled": {7, func(p *pass) { p.unreadable = &keystore.UnreadableError{} }, 0},
		"what a Revocation asks as well": {7, func(p *pass) {
			p.policy.Tokens = []rotation.TokenRequest{{UID: "u", At: noon, Before: noon}}
		}, 1},
		"what the keyring records": {7, func(p *pass) {
			p.keyring.Ring.Tokens = []rotation.TokenRevocation{{UID: "u", At: noon, Digest: "d", Before: noon}}
		}, 1},
	} {
		p := seen(func(p *pass) {
			p.targets.list = issuerfiles.Revoked{AllBefore: noon}.With("d", noon)
			p.targets.listGeneration = c.generation
			c.change(p)
		})
		if got := p.onlyInFiles(); len(got) != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
