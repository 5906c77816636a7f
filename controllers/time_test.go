package controllers

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// stalling lets time pass before an update of the signing-key Secret that changes the signing key.
type stalling struct {
	client.Client
	before func()
}

func (s stalling) Update(ctx context.Context, o client.Object, opts ...client.UpdateOption) error {
	if secret, ok := o.(*corev1.Secret); ok && secret.Labels[contract.RoleLabel] == contract.RoleSigningKey {
		s.before()
	}
	return s.Client.Update(ctx, o, opts...)
}

// The controller is delayed between the keyring write that retires a key and the Secret write after which issuers stop
// signing with it. Until then they sign, and the last token must be accepted until it expires.
func TestStallBetweenTheWrites(t *testing.T) {
	for _, stall := range []time.Duration{5 * time.Minute, time.Hour, 5 * time.Hour} {
		t.Run(stall.String(), func(t *testing.T) {
			w := newWorld(t)
			w.signingKey()
			w.settle()
			old := w.signs()
			stalled := false
			w.keys.Client = stalling{w.Client, func() {
				if ring := w.keyring(); !stalled && ring.Active().ID != old {
					stalled = true
					w.clock.step(stall)
				}
			}}
			w.step(time.Hour)
			if !stalled || w.signs() == old {
				t.Fatalf("stalled %v, and %s signs", stalled, w.signs())
			}
			written := w.clock.now()
			last := written.Add(20 * time.Minute) // propagationDelay and maxLifetime
			for w.clock.now().Before(last) {
				for _, target := range w.targets {
					if !slices.Contains(w.trusted(target), old) {
						t.Fatalf("%v after its last token can have been signed, %s lacks the old key", w.clock.now().Sub(written), target)
					}
				}
				w.step(time.Minute)
			}
			w.step(10 * time.Minute)
			for _, target := range w.targets {
				if slices.Contains(w.trusted(target), old) {
					t.Errorf("%s trusts the old key for ever", target)
				}
			}
		})
	}
}

// The controller's clock steps back and forth, within the clock skew and by five minutes. No key is lost, no
// unnecessary one is created, and when the clock is right again, the rotation takes place.
func TestClockSteps(t *testing.T) {
	for _, step := range []time.Duration{time.Minute, -time.Minute, 5 * time.Minute, -5 * time.Minute} {
		t.Run(step.String(), func(t *testing.T) {
			w := newWorld(t)
			w.signingKey()
			w.settle()
			first, second := w.signs(), w.standby()
			generation := w.keyring().Generation
			for range 3 {
				w.step(step)
				w.step(-step)
			}
			if w.signs() != first || w.keyring().Generation != generation {
				t.Fatalf("a clock that stepped moved keys:\n%s", w.events.text())
			}
			w.wantEverywhere(sorted(first, second)...)
			w.step(time.Hour + 2*step.Abs())
			if w.signs() != second {
				t.Fatalf("%s signs, want %s", w.signs(), second)
			}
			w.step(-step)
			w.step(step)
			for _, target := range w.targets {
				if held := w.trusted(target); !slices.Contains(held, first) || !slices.Contains(held, second) {
					t.Errorf("after the rotation %s holds %v", target, held)
				}
			}
			w.step(time.Hour)
			w.want("Ready", w.condition(keywrightv1alpha1.ConditionReady), "True Signing")
		})
	}
}

func sorted(ids ...string) []string {
	slices.Sort(ids)
	return ids
}

// Every change of the policy that the API accepts is applied while keys rotate, and all live tokens keep their keys in
// the files.
func TestPolicyChangesInFlight(t *testing.T) {
	minutes := func(n int) time.Duration { return time.Duration(n) * time.Minute }
	for name, change := range map[string]func(*keywrightv1alpha1.SigningKey){
		"interval shorter":   func(k *keywrightv1alpha1.SigningKey) { k.Spec.Rotation.Interval.Duration = minutes(30) },
		"interval longer":    func(k *keywrightv1alpha1.SigningKey) { k.Spec.Rotation.Interval.Duration = minutes(90) },
		"lifetime longer":    func(k *keywrightv1alpha1.SigningKey) { k.Spec.Token.MaxLifetime.Duration = minutes(40) },
		"lifetime shorter":   func(k *keywrightv1alpha1.SigningKey) { k.Spec.Token.MaxLifetime.Duration = minutes(1) },
		"delay longer":       func(k *keywrightv1alpha1.SigningKey) { k.Spec.Distribution.PropagationDelay.Duration = minutes(20) },
		"another algorithm":  func(k *keywrightv1alpha1.SigningKey) { k.Spec.Algorithm = "ES384" },
		"and back to Manual": func(k *keywrightv1alpha1.SigningKey) { k.Spec.Rotation.Mode = keywrightv1alpha1.Manual },
		"a request meanwhile": func(k *keywrightv1alpha1.SigningKey) {
			k.Annotations = map[string]string{contract.RotateAnnotation: "2026-03-01T13:00:00Z"}
		},
	} {
		for _, at := range []time.Duration{minutes(57), minutes(63)} {
			t.Run(fmt.Sprintf("%s at %v", name, at), func(t *testing.T) {
				w := newWorld(t)
				w.signingKey()
				w.settle()
				tokens := newTokens(w)
				for passed := time.Duration(0); passed < minutes(150); passed += minutes(3) {
					if passed == at {
						w.change(change)
						w.settle()
					}
					tokens.sign()
					tokens.check()
					w.clock.step(minutes(3))
					w.reconcileKey()
					for _, target := range w.targets {
						w.reconcileFile(target)
					}
				}
				w.want("Ready", w.condition(keywrightv1alpha1.ConditionReady), "True Signing")
			})
		}
	}
}

// tokens are tokens of an issuer whose file lags by the propagation delay, with the maximum lifetime.
type tokens struct {
	w *world
	// files are the files that the issuer has read, and when they were written.
	files []issuerFile
	// live has the latest expiry of the tokens, by key.
	live map[string]time.Time
}

type issuerFile struct {
	from     time.Time
	kid      string
	lifetime time.Duration
}

func newTokens(w *world) *tokens { return &tokens{w: w, live: map[string]time.Time{}} }

// sign reads the Secret, and signs with every version of it that some issuer may still have.
func (t *tokens) sign() {
	t.w.Helper()
	now, delay := t.w.clock.now(), 10*time.Minute // the shortest propagation delay of the SigningKey
	policy := policyOf(t.w)
	if n := len(t.files); n == 0 || t.files[n-1].kid != t.w.signs() || t.files[n-1].lifetime != policy {
		t.files = append(t.files, issuerFile{now, t.w.signs(), policy})
	}
	for i, f := range t.files {
		if i+1 < len(t.files) && now.Sub(t.files[i+1].from) >= delay {
			continue // every issuer has read the next one
		}
		if until := now.Add(f.lifetime); until.After(t.live[f.kid]) {
			t.live[f.kid] = until
		}
	}
}

// check asserts that every target holds the key of every live token.
func (t *tokens) check() {
	t.w.Helper()
	for kid, until := range t.live {
		if !until.After(t.w.clock.now()) {
			continue
		}
		for _, target := range t.w.targets {
			if !slices.Contains(t.w.trusted(target), kid) {
				t.w.Fatalf("at %v a token of %s is rejected in %s, %v before it expires\n%s",
					t.w.clock.now(), kid, target, until.Sub(t.w.clock.now()), t.w.events.text())
			}
		}
	}
}

// policyOf returns the longest lifetime in the signing-key Secret.
func policyOf(w *world) time.Duration {
	w.Helper()
	var policy struct {
		Seconds int64 `json:"maxLifetimeSeconds"`
	}
	fromJSON(w.T, w.secret(contract.SigningKeySuffix).Data[contract.PolicyFile], &policy)
	return time.Duration(policy.Seconds) * time.Second
}
