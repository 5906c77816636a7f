package rotation_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/keywright/keywright/controllers/rotation"
)

// planTokens plans for requests, with a keyring of one key.
func planTokens(now time.Time, ring rotation.Keyring, observed rotation.Observed, requests ...rotation.TokenRequest) rotation.Decision {
	p := rotation.Policy{
		KeySpec: rotation.KeySpec{Algorithm: "ES256"}, Interval: 10 * time.Hour, MaxLifetime: 10 * time.Minute, ClockSkew: time.Minute,
		PropagationDelay: 15 * time.Minute, Tokens: requests,
	}
	observed.At = now
	return rotation.Plan(now, p, ring, observed)
}

func requestsOf(n int, reserved bool) []rotation.TokenRequest {
	var out []rotation.TokenRequest
	for i := range n {
		out = append(out, rotation.TokenRequest{UID: fmt.Sprintf("%v-%d", reserved, i), Digest: fmt.Sprintf("digest-%v-%d", reserved, i), Reserved: reserved})
	}
	return out
}

// The list is bounded, and keeps places for people on call. A value that it has needs none.
func TestFullList(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	many := requestsOf(rotation.MaxTokens, false)
	d := planTokens(now, rotation.Keyring{}, rotation.Observed{}, many...)
	if got, want := len(d.Next.Tokens), rotation.MaxTokens-rotation.ReservedTokens; got != want || len(d.TokensFull) != rotation.ReservedTokens {
		t.Fatalf("%d are recorded, want %d, and %d are refused", got, want, len(d.TokensFull))
	}
	again := rotation.TokenRequest{UID: "again", Digest: many[0].Digest}
	d = planTokens(now.Add(time.Second), d.Next, rotation.Observed{}, append(append(requestsOf(rotation.MaxTokens, true), again), many...)...)
	if got := len(d.Next.Tokens); got != rotation.MaxTokens+1 || d.TokensFull["again"] != "" || d.TokensFull["true-600"] != rotation.ListFull {
		t.Errorf("%d are recorded, again: %q", got, d.TokensFull["again"])
	}
	// Whichever come first: what people on call name takes no place of the others.
	mixed := planTokens(now, rotation.Keyring{}, rotation.Observed{}, append(requestsOf(12, true), requestsOf(rotation.MaxTokens-rotation.ReservedTokens, false)...)...)
	if got, want := len(mixed.Next.Tokens), rotation.MaxTokens-rotation.ReservedTokens+12; got != want {
		t.Errorf("%d are recorded after 12 that are reserved, want %d", got, want)
	}
	for i := range rotation.MaxTokenRecords {
		d.Next.Tokens = append(d.Next.Tokens, rotation.TokenRevocation{UID: fmt.Sprint(i), LeftPods: true, Expired: true})
	}
	requests := []rotation.TokenRequest{again, {UID: "one more", Digest: "one more", Reserved: true}}
	for i := range rotation.MaxTokenRecords {
		requests = append(requests, rotation.TokenRequest{UID: fmt.Sprint(i)})
	}
	if d = planTokens(now.Add(2*time.Second), d.Next, rotation.Observed{}, requests...); d.TokensFull["one more"] != rotation.RecordsFull {
		t.Errorf("with too many records: %v", d.TokensFull)
	}
}

// The more a change of the list costs the API server, the longer the next one waits. Keys do not.
func TestPaceOfChanges(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		files, bytes int
		want         time.Duration
	}{
		"a few targets":                {10, 4 << 10, time.Second},
		"a thousand targets":           {1000, 4 << 10, 10 * time.Second},
		"a thousand with a full list":  {1000, 80 << 10, 117187500 * time.Microsecond},
		"ten thousand of a full list":  {10_000, 80 << 10, 5 * time.Minute},
		"nobody was seen, as at first": {0, 0, time.Second},
	} {
		observed := rotation.Observed{Files: c.files, FileBytes: c.bytes}
		first := planTokens(now, rotation.Keyring{}, observed, requestsOf(1, false)...)
		if len(first.Next.Tokens) != 1 || !first.ListChanged {
			t.Fatalf("%s: the first one waits", name)
		}
		early := planTokens(now.Add(c.want-time.Millisecond), first.Next, observed, requestsOf(2, false)...)
		if len(early.Next.Tokens) != 1 || early.Wake.IsZero() || early.Wake.After(now.Add(c.want)) {
			t.Errorf("%s: %v too early, and looked at again at %v", name, c.want, early.Wake)
		}
		if due := planTokens(now.Add(c.want), first.Next, observed, requestsOf(2, false)...); len(due.Next.Tokens) != 2 {
			t.Errorf("%s: it waits longer than %v", name, c.want)
		}
	}
}

// An entry lasts as long as tokens of the longest lifetime that was ever allowed, also when a shorter one is asked for before.
func TestLowerLifetimeDropsNothingEarly(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ring := rotation.Keyring{EverActive: true, Keys: []rotation.Key{
		{ID: "old", State: rotation.Retired, MaxLifetime: 3 * time.Hour, SupersededAt: now},
		{ID: "new", State: rotation.Active, Private: []byte("{}"), MaxLifetime: 10 * time.Minute, SigningFrom: now},
	}}
	d := planTokens(now, ring, rotation.Observed{}, requestsOf(1, false)...)
	if want := now.Add(15*time.Minute + 3*time.Hour + 3*time.Minute); len(d.Next.Tokens) != 1 || !d.Next.Tokens[0].Until.Equal(want) {
		t.Errorf("%+v, want until %v", d.Next.Tokens, want)
	}
	for i := range d.Next.Keys {
		d.Next.Keys[i].MaxLifetime = time.Minute
	}
	if later := planTokens(now.Add(time.Hour), d.Next, rotation.Observed{}, requestsOf(1, false)...); !later.Next.Tokens[0].Until.Equal(d.Next.Tokens[0].Until) {
		t.Errorf("it ends at %v instead of %v", later.Next.Tokens[0].Until, d.Next.Tokens[0].Until)
	}
}

// A plan that comes too early for a change still looks again when something is to be dropped: nothing else would wake it.
func TestEveryPlanWakesForWhatExpires(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	first := planTokens(now, rotation.Keyring{}, rotation.Observed{}, requestsOf(1, false)...)
	heard := rotation.Observed{Heard: map[string]bool{first.Next.Tokens[0].UID: true}}
	again := planTokens(now.Add(100*time.Millisecond), first.Next, heard, requestsOf(1, false)...)
	until := again.Next.Tokens[0].Until
	if again.Wake.IsZero() || again.Wake.After(until) {
		t.Errorf("looked at again at %v, and an entry is to be dropped at %v", again.Wake, until)
	}
}

// An issuer that has not heard of a Revocation issues tokens for the revoked login. So an entry that the signing-key Secret lacks is not dropped, and
// its time counts from when the Secret has it.
func TestEntryOutlastsTheTokensOfIssuersWithOldFiles(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	request := rotation.TokenRequest{UID: "a", Digest: "subject", At: now, Before: now}
	d := planTokens(now, rotation.Keyring{}, rotation.Observed{}, request)
	for range 3 { // the Secret cannot be written
		now = now.Add(time.Hour)
		d = planTokens(now, d.Next, rotation.Observed{}, request)
		if entry := d.Next.Tokens[0]; entry.LeftPods || entry.Expired {
			t.Fatalf("dropped at %v although no issuer has heard of it: %+v", now, entry)
		}
		if !d.Wake.IsZero() && !d.Wake.After(now) {
			t.Fatalf("at %v, it is looked at again at %v, which is over and over", now, d.Wake)
		}
	}
	d = planTokens(now, d.Next, rotation.Observed{Heard: map[string]bool{"a": true}}, request)
	last := now.Add(15*time.Minute + 3*time.Minute + 10*time.Minute) // propagationDelay, clockSkew, lifetime
	if entry := d.Next.Tokens[0]; !entry.HeardAt.Equal(now) || entry.Until.Before(last) {
		t.Fatalf("it ends at %v, before a token of an issuer that heard of it late: %v", entry.Until, last)
	}
	if before := planTokens(last.Add(-time.Second), d.Next, rotation.Observed{}, request).Next.Tokens[0]; before.LeftPods {
		t.Error("dropped before the last token expired")
	}
	if after := planTokens(last.Add(time.Minute), d.Next, rotation.Observed{}, request).Next.Tokens[0]; !after.LeftPods {
		t.Error("not dropped after the last token expired")
	}
}
