package rotation

import "time"

// Policy is the validated policy of a SigningKey. All durations are positive.
type Policy struct {
	KeySpec
	// Manual disables scheduled rotations.
	Manual bool
	// Interval is the time between scheduled rotations.
	Interval time.Duration
	// MaxLifetime is the maximum lifetime of a token, exp - iat.
	MaxLifetime time.Duration
	// ClockSkew is the maximum difference between the clocks of controllers, issuers and verifiers.
	ClockSkew time.Duration
	// PropagationDelay is the maximum delay after which the files of a running pod are current.
	PropagationDelay time.Duration
	// Revoked are the key IDs in the spec.
	Revoked []string
	// Tokens are the requested token revocations, in the order of creation.
	Tokens []TokenRequest
	// MaxRefreshLifetime is the maximum lifetime of a refresh token, zero if they are disabled.
	MaxRefreshLifetime time.Duration
	// MaxSessionLifetime is the maximum time between a login and its last refresh.
	MaxSessionLifetime time.Duration
	// KeepSessions are the key IDs whose revocation does not replace the sealing keys.
	KeepSessions []string
	// RotateRequested is the time of the newest rotation request, or zero.
	RotateRequested time.Time
	// WaitForTargets limits how long targets that reject or repeatedly lose a key delay a rotation.
	WaitForTargets time.Duration
	// Draining stops signing, and removes keys when the last token has expired.
	Draining bool
	// Deleting removes all keys at once.
	Deleting bool
}

// Ending reports whether the SigningKey is being deleted, and no key signs.
func (p *Policy) Ending() bool { return p.Draining || p.Deleting }

// waitForTargets returns WaitForTargets, but at least the time that a healthy target can need.
func (p *Policy) waitForTargets() time.Duration {
	return max(p.WaitForTargets, 2*p.PropagationDelay+p.ClockSkew)
}

// LongestLifetime is the maximum MaxLifetime of the API. It is assumed for the keys of a rebuilt keyring.
const LongestLifetime = 24 * time.Hour

// MaxKeys limits the published set. Requested and scheduled rotations wait for room; revocations do not.
const MaxKeys = 32
