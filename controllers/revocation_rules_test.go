package controllers

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// The API server accepts a Revocation that names one thing, and refuses others with a message that says what is right.
func TestAPIServerAcceptsRevocationsOfOneThing(t *testing.T) {
	const before = "\nissuedBefore: 2026-11-26T12:00:00Z"
	kid := "keyID: " + strings.Repeat("A", 43)
	const one = "set exactly one of keyID, tokenID, sessionID, subject, clientID and everything"
	for _, c := range []struct {
		name, spec string
		// refused is what the message must say, empty for a spec that is accepted.
		refused string
	}{
		{"a key", kid, ""},
		{"a key without its sessions", kid + "\nkeepSessions: true", ""},
		{"a token", "tokenID: a", ""},
		{"a token for a day", "tokenID: a\nttlAfterExpiry: 24h", ""},
		{"a session", "sessionID: a\nnudge: true\nreason: INC-1", ""},
		{"a subject", "subject: a" + before, ""},
		{"a subject in other letters", "subject: Žofie Ω 山田" + before, ""},
		{"a subject of 255", "subject: " + strings.Repeat("x", 255) + before, ""},
		{"a client", "clientID: a" + before, ""},
		{"everything", "everything: true" + before, ""},
		{"the far future", "subject: a\nissuedBefore: 2999-01-01T00:00:00Z", ""}, // refused in the status, since CEL has no clock
		{"nothing", "reason: a", one},
		{"two things", "subject: a\nclientID: b" + before, one},
		{"a token and a key", "tokenID: a\n" + kid, one},
		{"a token and everything", "tokenID: a\neverything: true" + before, one},
		{"everything false", "everything: false" + before, "must be true: set another field to revoke less"},
		{"a subject at no time", "subject: a", "issuedBefore is required with subject, clientID and everything"},
		{"everything at no time", "everything: true", "set it to the current time, like 2026-11-26T12:00:00Z"},
		{"a token before a time", "tokenID: a" + before, "and not allowed otherwise"},
		{"a time that is none", "subject: a\nissuedBefore: yesterday", "must be of type date-time"},
		{"sessions of a token", "tokenID: a\nkeepSessions: true", "keepSessions is for keyID only: leave it out"},
		{"a key for a day", kid + "\nttlAfterExpiry: 24h", "a Revocation of a key is never deleted: leave ttlAfterExpiry out"},
		{"ten years and more", "tokenID: a\nttlAfterExpiry: 87601h", "must be at most 87600h, for example 24h"},
		{"a time to live in days", "tokenID: a\nttlAfterExpiry: 1d", "should match"},
		{"a subject of 10 KB", "subject: " + strings.Repeat("x", 10<<10) + before, "may not be more than 255"},
		{"an empty subject", "subject: ''" + before, "should be at least 1 chars long"},
		{"a control character in a subject", `subject: "a\u0007b"` + before, "must not have control characters"},
		{"a line break in a token", `tokenID: "a\nb"`, "must not have control characters"},
		{"a null in a session", `sessionID: "a\0b"`, "must not have control characters"},
		{"a tab in a client", `clientID: "a\tb"` + before, "must not have control characters"},
		{"a short key", "keyID: abc", "should match"},
		{"a long reason", "tokenID: a\nreason: " + strings.Repeat("x", 257), "may not be more than 256"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := parse(t, "", "signingKey: rules\n"+c.spec)
			r.SetKind("Revocation")
			r.SetGenerateName("rules-")
			err := admin(t).Create(t.Context(), r, client.DryRunAll)
			wantRefusal(t, err, c.refused)
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("a message of %d bytes: %.200s", len(err.Error()), err)
			}
		})
	}
}

// The spec of a Revocation is immutable, and its status is Pending until a controller has reconciled it.
func TestRevocationsDoNotChange(t *testing.T) {
	c := admin(t)
	r := &keywrightv1alpha1.Revocation{Spec: keywrightv1alpha1.RevocationSpec{SigningKey: "rules", TokenID: "a"}}
	r.Name = "rules-immutable"
	if err := c.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for _, change := range []string{`{"tokenID":"b"}`, `{"tokenID":null,"sessionID":"a"}`, `{"reason":"another"}`, `{"nudge":true}`, `{"ttlAfterExpiry":"1h"}`, `{"signingKey":"b"}`} {
		err := c.Patch(t.Context(), r.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"spec":`+change+`}`)))
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "spec cannot be changed: create another Revocation") {
			t.Errorf("%s: %v", change, err)
		}
	}
	if err := c.Patch(t.Context(), r.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"a":"b"}}}`))); err != nil {
		t.Errorf("a label: %v", err)
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(r), r); err != nil {
		t.Fatal(err)
	}
	if ready := meta.FindStatusCondition(r.Status.Conditions, keywrightv1alpha1.ConditionReady); ready == nil || ready.Status != "Unknown" || ready.Reason != keywrightv1alpha1.ReasonPending {
		t.Errorf("%+v", r.Status)
	}
}
