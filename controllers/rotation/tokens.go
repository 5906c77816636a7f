package rotation

import (
	"slices"
	"time"
)

// The bounds of what ends early. Pods and issuers have the entries in memory, and each change is one write per target.
const (
	// MaxTokens is how many values the list of one SigningKey names at a time. Requests that are not Reserved leave ReservedTokens places to
	// those that are.
	MaxTokens      = 2000
	ReservedTokens = 500
	// MaxTokenRecords bounds the records of a keyring, those of expired Revocations that nobody has deleted among them.
	MaxTokenRecords = 4000
)

// TokenRequest asks for tokens to end before they expire: a Revocation of something other than a key.
type TokenRequest struct {
	// UID is that of the Revocation.
	UID string
	// At is when it was made.
	At time.Time
	// Digest names the value of a claim, empty for all tokens.
	Digest string
	// Before is the time up to which tokens are meant, zero for a token or a session, whatever their time.
	Before time.Time
	// Reserved marks requests of people on call: MaxTokens keeps places for them.
	Reserved bool
	// Nudge asks for kubelets to be nudged.
	Nudge bool
}

// TokenRevocation records a TokenRequest, and how far it has come. A zero time means: not yet.
type TokenRevocation struct {
	UID      string    `json:"uid,omitempty"`
	Digest   string    `json:"digest,omitempty"`
	Before   time.Time `json:"before,omitzero"`
	Reserved bool      `json:"reserved,omitempty"`
	Nudge    bool      `json:"nudge,omitempty"`
	// At is when it was recorded.
	At time.Time `json:"at"`
	// RemovedAt is when the signing-key Secret and the file of every target were seen to list it.
	RemovedAt time.Time `json:"removedAt,omitzero"`
	// Nudged says when kubelets were made to renew the files of running pods.
	Nudged Nudged `json:"nudged,omitzero"`
	// Until is when no token that is named can be valid any more, and IssuersUntil when none can be asked for with an older one.
	Until        time.Time `json:"until"`
	IssuersUntil time.Time `json:"issuersUntil,omitzero"`
	// LeftPods and Expired report that it was dropped from the files of the targets, and from the Secret of the issuers.
	LeftPods bool `json:"leftPods,omitempty"`
	Expired  bool `json:"expired,omitempty"`
}

// TokensFull is why a TokenRequest is not taken up.
type TokensFull string

// The reasons.
const (
	// ListFull means that the list names as many values as it may.
	ListFull TokensFull = "ListFull"
	// RecordsFull means that too many expired Revocations were never deleted.
	RecordsFull TokensFull = "RecordsFull"
)

// revokeTokens records what is newly asked for, and drops what has expired. Changes of the list are gathered: each is a write per target.
func (p *planner) revokeTokens() {
	p.noteTokens()
	if p.ring.ClockSkew != p.policy.ClockSkew {
		p.ring.ClockSkew = p.policy.ClockSkew // the files say so
		p.out.ListChanged = true
	}
	defer p.wakeForTokens()
	asked := p.ring.Unrecorded(p.policy.Tokens)
	if next := p.nextTokensChange(); p.at.Before(next) {
		if len(asked) > 0 || p.anyTokenDue() {
			p.wakeAt(next)
		}
		return
	}
	p.extendTokens() // those of a keyring that was rebuilt have no end yet
	changed := p.dropTokens()
	for _, request := range asked {
		if why := p.tokensFull(request); why != "" {
			p.refuseToken(request, why)
			continue
		}
		p.ring.Tokens = append(p.ring.Tokens, TokenRevocation{
			UID: request.UID, Digest: request.Digest, Before: request.Before, Reserved: request.Reserved, Nudge: request.Nudge, At: fullSecond(p.now),
		})
		changed = true
		p.out.TokensRecorded++
	}
	p.extendTokens()
	if changed {
		p.ring.TokensChangedAt, p.out.ListChanged = p.now, true
	}
	p.forgetTokens()
}

// wakeForTokens looks again when something is to be dropped.
func (p *planner) wakeForTokens() {
	for i := range p.ring.Tokens {
		switch t := &p.ring.Tokens[i]; {
		case !t.LeftPods:
			p.wakeAt(t.Until)
		case !t.Expired:
			p.wakeAt(t.IssuersUntil)
		}
	}
}

func (p *planner) refuseToken(request TokenRequest, why TokensFull) {
	if p.out.TokensFull == nil {
		p.out.TokensFull = map[string]TokensFull{}
	}
	p.out.TokensFull[request.UID] = why
}

// noteTokens records how far each has come, as observed.
func (p *planner) noteTokens() {
	for i := range p.ring.Tokens {
		t := &p.ring.Tokens[i]
		if t.RemovedAt.IsZero() && p.observed.Listed[t.UID] {
			t.RemovedAt = fullSecond(p.now)
		}
		if nudged, ok := p.observed.Nudged[t.UID]; ok && t.Nudged.At.IsZero() {
			t.Nudged = nudged
		}
	}
}

// Unrecorded returns those of some requests that the keyring does not record.
func (r *Keyring) Unrecorded(requests []TokenRequest) []TokenRequest {
	recorded := make(map[string]bool, len(r.Tokens))
	for i := range r.Tokens {
		recorded[r.Tokens[i].UID] = true
	}
	return slices.DeleteFunc(slices.Clone(requests), func(request TokenRequest) bool { return recorded[request.UID] })
}

// The pace of changes of the list. A round of writes takes about a millisecond per target, and may take a tenth of the time; etcd
// keeps all versions of five minutes, of which those of one list may take 200 MB.
const (
	gatherFor      = time.Second
	roundPerTarget = 10 * time.Millisecond
	etcdKeeps      = 5 * time.Minute
	etcdBytes      = 200 << 20
)

// nextTokensChange is when the list may change again.
func (p *planner) nextTokensChange() time.Time {
	if p.ring.TokensChangedAt.IsZero() {
		return time.Time{}
	}
	pace := max(gatherFor, time.Duration(p.observed.Files)*roundPerTarget,
		time.Duration(float64(p.observed.Files)*float64(p.observed.FileBytes)/etcdBytes*float64(etcdKeeps)))
	return p.ring.TokensChangedAt.Add(min(pace, etcdKeeps))
}

func (p *planner) anyTokenDue() bool {
	return slices.ContainsFunc(p.ring.Tokens, func(t TokenRevocation) bool { return t.due(p.at) })
}

// due reports whether something is to be dropped.
func (t *TokenRevocation) due(at time.Time) bool {
	return !t.LeftPods && !at.Before(t.Until) || !t.Expired && !at.Before(t.IssuersUntil)
}

// dropTokens drops what no valid token can be named by.
func (p *planner) dropTokens() (changed bool) {
	for i := range p.ring.Tokens {
		t := &p.ring.Tokens[i]
		if !t.due(p.at) {
			continue
		}
		t.LeftPods = !p.at.Before(t.Until)
		if t.Expired = !p.at.Before(t.IssuersUntil); t.Expired {
			t.Digest, t.Before, t.Nudged, t.IssuersUntil = "", time.Time{}, Nudged{}, time.Time{} // what its status does not say any more
		}
		changed = true
	}
	return changed
}

// tokensFull is why there is no place for a request, empty if there is one. A value that is listed already needs none.
func (p *planner) tokensFull(r TokenRequest) TokensFull {
	if len(p.ring.Tokens) >= MaxTokenRecords {
		return RecordsFull
	}
	listed, unreserved := map[string]bool{}, 0
	for i := range p.ring.Tokens {
		t := &p.ring.Tokens[i]
		if t.LeftPods || listed[t.Digest] {
			continue
		}
		listed[t.Digest] = true
		if !t.Reserved {
			unreserved++
		}
	}
	full := len(listed) >= MaxTokens || !r.Reserved && unreserved >= MaxTokens-ReservedTokens
	if full && !listed[r.Digest] {
		return ListFull
	}
	return ""
}

// extendTokens says until when tokens can live that each entry names. An issuer whose files lag may, for the propagation delay, give tokens
// for a login that is ended: those count by the time of the login. The time named reaches one clockSkew further; the token may have been issued by
// a clock that is one ahead; and a verifier, whose clock may be one behind, accepts one more. What is asked for later never shortens it.
func (p *planner) extendTokens() {
	lifetime := max(p.policy.MaxLifetime, p.ring.LongestLifetime())
	for i := range p.ring.Tokens {
		t := &p.ring.Tokens[i]
		if t.LeftPods {
			continue
		}
		last := t.At
		if t.Before.After(last) {
			last = t.Before
		}
		last = last.Add(p.policy.PropagationDelay + 3*p.policy.ClockSkew)
		t.Until = later(t.Until, roundUp(last.Add(lifetime)))
		t.IssuersUntil = later(t.IssuersUntil, roundUp(last.Add(max(lifetime, LongestLifetime, p.policy.MaxSessionLifetime))))
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// fullSecond rounds a time up: a keyring holds thousands, and what a receipt says must not be too early.
func fullSecond(t time.Time) time.Time {
	if down := t.Truncate(time.Second); down.Before(t) {
		return down.Add(time.Second)
	}
	return t
}

// roundUp returns the next full minute, so that many entries are dropped in one write.
func roundUp(t time.Time) time.Time {
	if down := t.Truncate(time.Minute); down.Before(t) {
		return down.Add(time.Minute)
	}
	return t
}

// forgetTokens drops the records of expired Revocations that do not exist any more.
func (p *planner) forgetTokens() {
	exists := make(map[string]bool, len(p.policy.Tokens))
	for _, r := range p.policy.Tokens {
		exists[r.UID] = true
	}
	p.ring.Tokens = slices.DeleteFunc(p.ring.Tokens, func(t TokenRevocation) bool { return t.Expired && !exists[t.UID] })
}

// EverywhereBy is when the files of all running pods are bound to list it, zero while that cannot be said.
func (t *TokenRevocation) EverywhereBy(p Policy) time.Time {
	return everywhereBy(t.RemovedAt, t.Nudged, p)
}

func equalTokens(a, b TokenRevocation) bool {
	return a.UID == b.UID && a.Digest == b.Digest && a.Before.Equal(b.Before) && a.Reserved == b.Reserved && a.Nudge == b.Nudge && a.At.Equal(b.At) &&
		a.RemovedAt.Equal(b.RemovedAt) && a.Nudged.At.Equal(b.Nudged.At) && a.Nudged.Everywhere == b.Nudged.Everywhere &&
		a.Until.Equal(b.Until) && a.IssuersUntil.Equal(b.IssuersUntil) && a.LeftPods == b.LeftPods && a.Expired == b.Expired
}
