package rotation

import (
	"slices"
	"time"
)

// The limits of token revocations. Pods and issuers keep the entries in memory, and each change is one write per
// target.
const (
	// MaxTokens is the maximum number of entries in the list of a SigningKey. ReservedTokens of them are for Reserved
	// requests.
	MaxTokens      = 2000
	ReservedTokens = 500
	// MaxTokenRecords is the maximum number of records in a keyring, including those of expired Revocations that
	// still exist.
	MaxTokenRecords = 4000
)

// TokenRequest requests the revocation of tokens, by a Revocation that does not name a key.
type TokenRequest struct {
	// UID is that of the Revocation.
	UID string
	// At is its creation time.
	At time.Time
	// Digest is the digest of a claim, or "" for all tokens.
	Digest string
	// Before is the time up to which tokens are revoked. It is zero for a token or a session, which are revoked at
	// any time.
	Before time.Time
	// Reserved is true for requests that may use the reserved entries of MaxTokens.
	Reserved bool
	// Nudge requests that pods are nudged.
	Nudge bool
}

// TokenRevocation records a TokenRequest and its progress. A zero time means that the event has not happened.
type TokenRevocation struct {
	UID      string    `json:"uid,omitempty"`
	Digest   string    `json:"digest,omitempty"`
	Before   time.Time `json:"before,omitzero"`
	Reserved bool      `json:"reserved,omitempty"`
	Nudge    bool      `json:"nudge,omitempty"`
	// At is when the request was recorded.
	At time.Time `json:"at"`
	// HeardAt is when the signing-key Secret was observed with the entry. Until then, issuers may issue tokens for a
	// revoked login, so the entry is not dropped.
	HeardAt time.Time `json:"heardAt,omitzero"`
	// RemovedAt is when the signing-key Secret and the files of all targets were observed with the entry.
	RemovedAt time.Time `json:"removedAt,omitzero"`
	// Nudged is when kubelets were made to renew the files of running pods.
	Nudged Nudged `json:"nudged,omitzero"`
	// Until is when all revoked tokens have expired, and IssuersUntil when no session with an older login is left.
	Until        time.Time `json:"until"`
	IssuersUntil time.Time `json:"issuersUntil,omitzero"`
	// LeftPods and Expired are true when the entry was dropped from the files of the targets, and from the Secret of
	// the issuers.
	LeftPods bool `json:"leftPods,omitempty"`
	Expired  bool `json:"expired,omitempty"`
}

// TokensFull is the reason why a TokenRequest is not recorded.
type TokensFull string

// The reasons.
const (
	// ListFull means that the list has its maximum number of entries.
	ListFull TokensFull = "ListFull"
	// RecordsFull means that too many expired Revocations were not deleted.
	RecordsFull TokensFull = "RecordsFull"
)

// revokeTokens records new requests and drops expired entries. It batches changes of the list, because each is a
// write per target.
func (p *planner) revokeTokens() {
	p.noteTokens()
	if p.ring.ClockSkew != p.policy.ClockSkew {
		p.ring.ClockSkew = p.policy.ClockSkew // written to the files
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
	p.extendTokens() // those of a rebuilt keyring have no end yet
	changed := p.dropTokens()
	for _, request := range asked {
		if why := p.tokensFull(request); why != "" {
			p.refuseToken(request, why)
			continue
		}
		p.ring.Tokens = append(p.ring.Tokens, TokenRevocation{
			UID: request.UID, Digest: request.Digest, Before: request.Before, Reserved: request.Reserved, Nudge: request.Nudge, At: roundUpToSecond(p.now),
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

// wakeForTokens schedules the next plan for expiring entries.
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

// noteTokens records the observed progress of each entry.
func (p *planner) noteTokens() {
	for i := range p.ring.Tokens {
		t := &p.ring.Tokens[i]
		if t.HeardAt.IsZero() && p.observed.Heard[t.UID] {
			t.HeardAt = roundUpToSecond(p.now)
		}
		if t.RemovedAt.IsZero() && p.observed.Listed[t.UID] {
			t.RemovedAt = roundUpToSecond(p.now)
		}
		if nudged, ok := p.observed.Nudged[t.UID]; ok && t.Nudged.At.IsZero() {
			t.Nudged = nudged
		}
	}
}

// Unrecorded returns the requests that the keyring has not recorded.
func (r *Keyring) Unrecorded(requests []TokenRequest) []TokenRequest {
	recorded := make(map[string]bool, len(r.Tokens))
	for i := range r.Tokens {
		recorded[r.Tokens[i].UID] = true
	}
	return slices.DeleteFunc(slices.Clone(requests), func(request TokenRequest) bool { return recorded[request.UID] })
}

// The limits for the rate of list changes. Writing takes about a millisecond per target, and may take a tenth of the
// time. etcd keeps all versions for five minutes, of which those of one list may take 200 MB.
const (
	gatherFor      = time.Second
	roundPerTarget = 10 * time.Millisecond
	etcdKeeps      = 5 * time.Minute
	etcdBytes      = 200 << 20
)

// nextTokensChange returns when the list may change again.
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

// due reports whether an entry is to be dropped.
func (t *TokenRevocation) due(at time.Time) bool {
	return !t.HeardAt.IsZero() && (!t.LeftPods && !at.Before(t.Until) || !t.Expired && !at.Before(t.IssuersUntil))
}

// dropTokens drops entries that name no valid token.
func (p *planner) dropTokens() (changed bool) {
	for i := range p.ring.Tokens {
		t := &p.ring.Tokens[i]
		if !t.due(p.at) {
			continue
		}
		t.LeftPods = !p.at.Before(t.Until)
		if t.Expired = !p.at.Before(t.IssuersUntil); t.Expired {
			t.Digest, t.Before, t.Nudged, t.IssuersUntil = "", time.Time{}, Nudged{}, time.Time{} // no longer reported in the status
		}
		changed = true
	}
	return changed
}

// tokensFull returns why there is no room for a request, or "". A value that is already listed needs no room.
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

// extendTokens sets until when the tokens of each entry can be valid. For the propagation delay after its Secret lists
// the entry, an issuer with old files may issue tokens for a revoked login; these count by the time of the login. The revoked time includes one
// clockSkew, the issuer's clock may be ahead by one, and the verifier accepts one more. Later requests never shorten
// it.
func (p *planner) extendTokens() {
	lifetime := max(p.policy.MaxLifetime, p.ring.LongestLifetime())
	for i := range p.ring.Tokens {
		t := &p.ring.Tokens[i]
		if t.LeftPods {
			continue
		}
		last := later(later(t.At, t.Before), t.HeardAt).Add(p.policy.PropagationDelay + 3*p.policy.ClockSkew)
		t.Until = later(t.Until, roundUpToMinute(last.Add(lifetime)))
		t.IssuersUntil = later(t.IssuersUntil, roundUpToMinute(last.Add(max(lifetime, LongestLifetime, p.policy.MaxSessionLifetime))))
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// roundUpToSecond rounds a time up, to save space in the keyring without making a receipt too early.
func roundUpToSecond(t time.Time) time.Time {
	if down := t.Truncate(time.Second); down.Before(t) {
		return down.Add(time.Second)
	}
	return t
}

// roundUpToMinute rounds a time up, so that many entries expire in one write.
func roundUpToMinute(t time.Time) time.Time {
	if down := t.Truncate(time.Minute); down.Before(t) {
		return down.Add(time.Minute)
	}
	return t
}

// forgetTokens drops the records of expired Revocations that were deleted.
func (p *planner) forgetTokens() {
	exists := make(map[string]bool, len(p.policy.Tokens))
	for _, r := range p.policy.Tokens {
		exists[r.UID] = true
	}
	p.ring.Tokens = slices.DeleteFunc(p.ring.Tokens, func(t TokenRevocation) bool { return t.Expired && !exists[t.UID] })
}

// EverywhereBy returns when the files of all running pods contain the entry, zero if that is not known.
func (t *TokenRevocation) EverywhereBy(p Policy) time.Time {
	return everywhereBy(t.RemovedAt, t.Nudged, p)
}

func equalTokens(a, b TokenRevocation) bool {
	return a.UID == b.UID && a.Digest == b.Digest && a.Before.Equal(b.Before) && a.Reserved == b.Reserved && a.Nudge == b.Nudge && a.At.Equal(b.At) &&
		a.HeardAt.Equal(b.HeardAt) && a.RemovedAt.Equal(b.RemovedAt) && a.Nudged.At.Equal(b.Nudged.At) && a.Nudged.Everywhere == b.Nudged.Everywhere &&
		a.Until.Equal(b.Until) && a.IssuersUntil.Equal(b.IssuersUntil) && a.LeftPods == b.LeftPods && a.Expired == b.Expired
}
