package controllers

import (
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/keystore"
	"github.com/keywright/keywright/controllers/rotation"
	"github.com/keywright/keywright/controllers/wiring"
)

// newRevoking returns a world with a SigningKey at the current time, which the API server sets in Revocations.
func newRevoking(t *testing.T) *world {
	w := newWorld(t)
	w.clock.step(time.Since(w.clock.now()))
	w.signingKey()
	w.settle()
	return w
}

// end creates a Revocation of the world's SigningKey.
func (w *world) end(change func(*keywrightv1alpha1.RevocationSpec)) *keywrightv1alpha1.Revocation {
	w.Helper()
	v := &keywrightv1alpha1.Revocation{ObjectMeta: metav1.ObjectMeta{GenerateName: w.name + "-"}}
	v.Spec.SigningKey = w.name
	change(&v.Spec)
	w.must(w.Create(w.Context(), v))
	return v
}

func (w *world) endSubject(subject string, before time.Time) *keywrightv1alpha1.Revocation {
	return w.end(func(s *keywrightv1alpha1.RevocationSpec) {
		at := metav1.NewTime(before.Truncate(time.Second))
		s.Subject, s.IssuedBefore = subject, &at
	})
}

// lists returns the revocation lists of the targets, of the key namespace, and last of the Secret.
func (w *world) lists() []issuerfiles.Revoked {
	w.Helper()
	var all []issuerfiles.Revoked
	for _, namespace := range append(slices.Clone(w.targets), w.keys.KeyNamespace) {
		list, err := issuerfiles.DecodeRevoked([]byte(w.configMap(namespace).Data[w.name+contract.RevokedSuffix]))
		w.must(err)
		all = append(all, list)
	}
	return append(all, keystore.RevokedIn(w.secret(contract.SigningKeySuffix)))
}

// wantEnded checks whether every list has an entry.
func (w *world) wantEnded(claim, value string, issued time.Time, want bool) {
	w.Helper()
	for i, list := range w.lists() {
		if got := list.Ends(issued, map[string]string{claim: value}); got != want {
			w.Fatalf("list %d ends %s %s issued at %v: %v. It is %s", i, claim, value, issued, got, list.Encode())
		}
	}
}

// state reads a Revocation and returns "status reason" of its condition Ready.
func (w *world) state(v *keywrightv1alpha1.Revocation) string {
	w.Helper()
	w.must(w.Get(w.Context(), client.ObjectKeyFromObject(v), v))
	for _, c := range v.Status.Conditions {
		if c.Type == keywrightv1alpha1.ConditionReady {
			return string(c.Status) + " " + c.Reason
		}
	}
	return "none"
}

// A revocation of tokens is in every file until all of them have expired, even if the object is deleted.
func TestTokensEndEarly(t *testing.T) {
	w := newRevoking(t)
	now := w.clock.now()
	subject := w.endSubject("alice", now)
	token := w.end(func(s *keywrightv1alpha1.RevocationSpec) { s.TokenID = "01J" })
	w.want("a Revocation that nobody has seen", w.state(subject), "Unknown Pending")
	w.settle()
	w.want("the Revocation of a subject", w.state(subject), "True Removed")
	w.want("the Revocation of a token", w.state(token), "True Removed")
	if s := subject.Status; s.RevokedAt == nil || s.RemovedAt == nil || s.ExpectedEverywhereBy == nil || s.ExpiresAt == nil || s.NudgedAt != nil {
		t.Errorf("the receipt is %+v", s)
	}
	w.wantEnded("sub", "alice", now, true)
	w.wantEnded("sub", "alice", now.Add(time.Minute-2*time.Second), true) // the clockSkew
	w.wantEnded("sub", "alice", now.Add(time.Minute+2*time.Second), false)
	w.wantEnded("sub", "bob", now, false)
	w.wantEnded("jti", "01J", now.Add(time.Hour), true)
	w.must(w.Delete(t.Context(), subject))
	w.settle()
	w.wantEnded("sub", "alice", now, true)
	// An issuer may be 10 m behind; its tokens live 10 m; three times the clockSkew, and up to the next full minute.
	w.step(23*time.Minute - 5*time.Second)
	w.wantEnded("sub", "alice", now, true)
	w.step(2 * time.Minute)
	lists := w.lists()
	pods, issuers := lists[0], lists[len(lists)-1]
	if len(pods.Ended) != 0 || len(issuers.Ended) != 2 {
		t.Errorf("after the last token: the files have %s, and the Secret has %s", pods.Encode(), issuers.Encode())
	}
	w.want("an expired Revocation", w.state(token), "True Expired")
	w.step(25 * time.Hour)
	if issuers := w.lists()[3]; len(issuers.Ended) != 0 {
		t.Errorf("a day later the Secret still has %s", issuers.Encode())
	}
	if ring := w.keyring(); len(ring.Tokens) != 1 || ring.Tokens[0].UID != string(token.UID) {
		t.Errorf("the keyring remembers %+v", ring.Tokens)
	}
	w.want("an expired Revocation", w.state(token), "True Expired") // and it is not recorded again
}

// Issuers that do not have a Revocation yet give tokens that it should end: its entry stays until those expire.
func TestEntryStaysWhileIssuersHaveOldFiles(t *testing.T) {
	w := newRevoking(t)
	now := w.clock.now()
	w.freezeSecret(contract.SigningKeySuffix, true)
	w.endSubject("alice", now)
	w.try()
	for range 3 {
		w.clock.step(time.Hour)
		w.try()
	}
	if list := w.lists()[0]; !list.Ends(now, map[string]string{"sub": "alice"}) {
		t.Fatalf("no issuer knows it after three hours, and a service has forgotten it: %s", list.Encode())
	}
	w.freezeSecret(contract.SigningKeySuffix, false)
	w.settle()
	w.wantEnded("sub", "alice", now, true)
	w.step(23*time.Minute - 5*time.Second) // as in TestTokensEndEarly, from now on
	w.wantEnded("sub", "alice", now, true)
	w.step(2 * time.Minute)
	if list := w.lists()[0]; len(list.Ended) != 0 {
		t.Errorf("after the last token: %s", list.Encode())
	}
}

// The allowed times and limits of Revocations.
func TestRevocationsThatAreNotCarriedOut(t *testing.T) {
	w := newRevoking(t)
	future := w.endSubject("alice", time.Now().Add(time.Hour))
	stranger := &keywrightv1alpha1.Revocation{ObjectMeta: metav1.ObjectMeta{GenerateName: "x-"}}
	stranger.Spec.SigningKey, stranger.Spec.TokenID = w.name+"-mistyped", "01J"
	w.must(w.Create(t.Context(), stranger))
	unknown := w.end(func(s *keywrightv1alpha1.RevocationSpec) { s.KeyID = strings.Repeat("x", 43) })
	w.settle()
	_, err := w.keys.Reconcile(t.Context(), wiring.Named(stranger.Spec.SigningKey))
	w.must(err)
	w.want("one of a time in the future", w.state(future), "False IssuedBeforeInFuture")
	w.want("one without a SigningKey", w.state(stranger), "False NoSigningKey")
	w.want("one of a key that there is not", w.state(unknown), "True UnknownKey")
	w.wantEnded("sub", "alice", w.clock.now(), false)
	w.step(2 * time.Hour)
	w.want("one of a time that was in the future", w.state(future), "False IssuedBeforeInFuture")
	w.wantEnded("sub", "alice", w.clock.now(), false)
}

// A key is revoked by a Revocation as by the spec, and the deletion of the object restores nothing.
func TestKeyIsRevokedByARevocation(t *testing.T) {
	w := newRevoking(t)
	leaked := w.signs()
	v := w.end(func(s *keywrightv1alpha1.RevocationSpec) { s.KeyID = leaked })
	w.settle()
	w.wantRevoked(leaked)
	w.want("the Revocation", w.state(v), "True Removed")
	if v.Status.RemovedAt == nil || v.Status.ExpiresAt != nil {
		t.Errorf("the receipt is %+v", v.Status)
	}
	w.must(w.Delete(t.Context(), v))
	w.restart()
	w.settle()
	w.wantRevoked(leaked)
}

// A Revocation is carried out in every state of the controller's own objects, and the status reports what prevents its
// completion.
func TestTokensEndThoughTheKeyringCannotBeWritten(t *testing.T) {
	for name, breakIt := range map[string]func(w *world){
		"immutable": func(w *world) { w.freezeSecret(contract.KeyringSuffix, true) },
		"unreadable": func(w *world) {
			s := w.secret(contract.KeyringSuffix)
			s.Data[contract.KeyringFile] = []byte("{")
			w.must(w.Update(w.Context(), s))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newRevoking(t)
			before := w.clock.now()
			w.endSubject("before", before)
			w.settle()
			breakIt(w)
			w.clock.step(2 * time.Second)
			v := w.endSubject("alice", before)
			w.try()
			w.wantEnded("sub", "alice", before, true)
			w.wantEnded("sub", "before", before, true)
			if state := w.state(v); !strings.HasPrefix(state, "False ") || strings.HasSuffix(state, "Removing") {
				t.Errorf("the Revocation is %s", state)
			}
			w.restart()
			w.try()
			w.wantEnded("sub", "alice", before, true)
			w.wantEnded("sub", "before", before, true)
		})
	}
}

// A lost keyring is rebuilt with the entries of the Secret's list.
func TestRevokedTokensSurviveALostKeyring(t *testing.T) {
	w := newRevoking(t)
	now := w.clock.now()
	v := w.endSubject("alice", now)
	w.settle()
	w.must(w.Delete(t.Context(), v))
	w.settle()
	w.must(w.Delete(t.Context(), w.secret(contract.KeyringSuffix)))
	w.restart()
	w.step(2 * time.Second)
	w.wantEnded("sub", "alice", now, true)
	w.step(25 * time.Hour) // the lifetime of the tokens of its keys is not known
	if pods := w.lists()[0]; len(pods.Ended) != 0 {
		t.Errorf("it stays for ever: %s", pods.Encode())
	}
}

// Objects are deleted only after ttlAfterExpiry.
func TestExpiredRevocationIsDeleted(t *testing.T) {
	w := newRevoking(t)
	v := w.end(func(s *keywrightv1alpha1.RevocationSpec) {
		s.TokenID, s.TTLAfterExpiry = "01J", &metav1.Duration{Duration: time.Hour}
	})
	w.settle()
	w.step(24 * time.Hour)
	w.want("an expired Revocation", w.state(v), "True Expired")
	w.step(3 * time.Hour)
	if err := w.Get(t.Context(), client.ObjectKeyFromObject(v), v); !apierrors.IsNotFound(err) {
		t.Errorf("it is still there: %v", err)
	}
	w.step(time.Minute)
	if ring := w.keyring(); len(ring.Tokens) != 0 {
		t.Errorf("the keyring remembers %+v", ring.Tokens)
	}
}

// Changes are collected for a second, except for the first.
func TestChangesOfTheListAreGathered(t *testing.T) {
	w := newRevoking(t)
	now := w.clock.now()
	w.endSubject("first", now)
	w.settle()
	generation := w.keyring().Generation
	second := w.endSubject("second", now)
	w.settle()
	w.want("one that comes within the second", w.state(second), "False Removing")
	w.step(time.Second)
	w.wantEnded("sub", "second", now, true)
	if got := w.keyring().Generation; got != generation+1 {
		t.Errorf("generation %d after %d", got, generation)
	}
}

// The largest keyring fits into a Secret.
func TestFullKeyringFits(t *testing.T) {
	ring := rotation.Keyring{}
	at := time.Date(2026, 11, 26, 14, 0, 1, 0, time.UTC)
	for i := range rotation.MaxTokenRecords {
		record := rotation.TokenRevocation{UID: strings.Repeat("u", 36), At: at, RemovedAt: at, Until: at, LeftPods: true, Expired: true}
		if i < rotation.MaxTokens {
			record = rotation.TokenRevocation{
				UID: record.UID, Digest: strings.Repeat("d", 22), Before: at, At: at, RemovedAt: at, Until: at, IssuersUntil: at, Reserved: true, Nudge: true,
			}
		}
		ring.Tokens = append(ring.Tokens, record)
	}
	b, err := ring.Encode()
	if err != nil || len(b) > 900<<10 {
		t.Errorf("%d bytes %v", len(b), err)
	}
}

// The receipt reports that every file has an entry only when that is true.
func TestReceiptWaitsForEveryFile(t *testing.T) {
	w := newRevoking(t)
	v := w.endSubject("alice", w.clock.now())
	for range 3 {
		w.reconcileKey()
	}
	w.want("before any file is written", w.state(v), "False Removing")
	w.reconcileFile(w.keys.KeyNamespace)
	w.reconcileFile(w.targets[0])
	w.reconcileKey()
	w.want("before the last file is written", w.state(v), "False Removing")
	if v.Status.RemovedAt != nil {
		t.Errorf("the receipt is %+v", v.Status)
	}
	w.reconcileFile(w.targets[1])
	w.reconcileKey()
	w.want("when every file is written", w.state(v), "True Removed")
}

// If neither Secret has the revocation list, the lists in the files do not change.
func TestFilesKeepEndedTokensWithoutSecrets(t *testing.T) {
	w := newRevoking(t)
	now := w.clock.now()
	w.must(w.Delete(t.Context(), func() client.Object {
		v := w.endSubject("alice", now)
		w.settle()
		return v
	}()))
	w.must(w.Delete(t.Context(), w.secret(contract.KeyringSuffix)))
	w.must(w.Delete(t.Context(), w.secret(contract.SigningKeySuffix)))
	w.restart()
	w.clock.step(2 * time.Second)
	w.endSubject("bob", now)
	w.try()
	w.want("Ready", w.ready(), "False KeysLost")
	for _, target := range w.targets {
		cm := w.configMap(target)
		list := desired.RevokedIn(cm.Data, desired.RecordsOf(cm)[w.name], w.name)
		for _, subject := range []string{"alice", "bob"} {
			if !list.Ends(now, map[string]string{"sub": subject}) {
				t.Errorf("%s no longer ends %s: %s", target, subject, list.Encode())
			}
		}
	}
}

// A leader that was paused while another one revoked tokens that no keyring records does not undo that.
func TestPausedLeaderBringsNoEndedTokenBack(t *testing.T) {
	for name, end := range map[string]func(*keywrightv1alpha1.RevocationSpec){
		"a subject":  func(s *keywrightv1alpha1.RevocationSpec) { s.Subject = "alice" },
		"everything": func(s *keywrightv1alpha1.RevocationSpec) { s.Everything = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := newRevoking(t)
			paused, now := w.files, w.clock.now()
			w.freezeSecret(contract.KeyringSuffix, true)
			w.restart()
			w.end(func(s *keywrightv1alpha1.RevocationSpec) {
				at := metav1.NewTime(now.Truncate(time.Second))
				s.IssuedBefore = &at
				end(s)
			})
			w.try()
			w.wantEnded("sub", "alice", now, true)
			for _, namespace := range append(slices.Clone(w.targets), w.keys.KeyNamespace) {
				_, err := paused.Reconcile(t.Context(), wiring.Named(namespace))
				w.must(err)
			}
			w.wantEnded("sub", "alice", now, true)
		})
	}
}

// A Revocation that was deleted while the keyring could not be written is recorded when it can be written again: the
// files have the entries of the keyring, and lose them when they have expired.
func TestDeletedRevocationThatNoKeyringRecordedExpires(t *testing.T) {
	for name, end := range map[string]func(*keywrightv1alpha1.RevocationSpec){
		"a subject":  func(s *keywrightv1alpha1.RevocationSpec) { s.Subject = "alice" },
		"everything": func(s *keywrightv1alpha1.RevocationSpec) { s.Everything = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := newRevoking(t)
			now := w.clock.now()
			w.keys.Client = refusesSecret(w.Client, contract.KeyringSuffix)
			v := w.end(func(s *keywrightv1alpha1.RevocationSpec) {
				at := metav1.NewTime(now.Truncate(time.Second))
				s.IssuedBefore = &at
				end(s)
			})
			w.clock.step(time.Minute)
			w.try()
			w.wantEnded("sub", "alice", now, true)
			w.must(w.Delete(t.Context(), v))
			w.try()
			w.restart()
			w.step(time.Minute)
			w.wantEnded("sub", "alice", now, true)
			w.want("Distributed", w.condition(keywrightv1alpha1.ConditionDistributed), "True InSync")
			if ring := w.keyring(); len(ring.Tokens) != 1 {
				t.Errorf("the keyring records %v", ring.Tokens)
			}
			w.step(24 * time.Hour)
			if pods := w.lists()[0]; pods.Ends(now, map[string]string{"sub": "alice"}) {
				t.Errorf("it stays for ever: %s", pods.Encode())
			}
			w.step(30 * 24 * time.Hour)
			w.step(time.Minute)
			if ring := w.keyring(); len(ring.Tokens) != 0 {
				t.Errorf("the keyring still records %v", ring.Tokens)
			}
		})
	}
}
