package rotation

import "time"

// Policy is what a SigningKey asks for, checked. All durations are positive.
type Policy struct {
	KeySpec
	// Manual rotates on request only.
	Manual bool
	// Interval is how long a key signs before the next scheduled rotation.
	Interval time.Duration
	// MaxLifetime is the longest lifetime of a token, exp - iat.
	MaxLifetime time.Duration
	// ClockSkew is by how much any two clocks of controllers, issuers and verifiers may differ.
	ClockSkew time.Duration
	// PropagationDelay is by how much the files of any running pod may lag behind the API.
	PropagationDelay time.Duration
	// Revoked are the key IDs that the spec names.
	Revoked []string
	// Tokens are the requests to end tokens early, in the order in which they were made.
	Tokens []TokenRequest
	// MaxRefreshLifetime is the longest lifetime of a refresh token, zero if there are none.
	MaxRefreshLifetime time.Duration
	// MaxSessionLifetime is how long after a login tokens can still be got for it.
	MaxSessionLifetime time.Duration
	// KeepSessions are the key IDs whose revocation leaves the sealing keys in use.
	KeepSessions []string
	// RotateRequested is the time of the newest rotation request, zero if there is none.
	RotateRequested time.Time
	// WaitForTargets bounds how long targets that refuse a key, or lose it again and again, delay a rotation.
	WaitForTargets time.Duration
	// Draining stops the signing; keys are removed when the last token has expired.
	Draining bool
	// Deleting takes all trust away at once.
	Deleting bool
}

// Ending reports whether the SigningKey is being deleted, and nothing is signed any more.
func (p *Policy) Ending() bool { return p.Draining || p.Deleting }

// waitForTargets is at least as long as a target that refuses nothing can need.
func (p *Policy) waitForTargets() time.Duration {
	return max(p.WaitForTargets, 2*p.PropagationDelay+p.ClockSkew)
}

// LongestLifetime is the largest MaxLifetime that the API accepts. A rebuilt keyring, which cannot know under which
// policy its keys signed, assumes it.
const LongestLifetime = 24 * time.Hour

// MaxKeys bounds the published set. Requested and scheduled rotations wait for room, revocations do not.
const MaxKeys = 32
