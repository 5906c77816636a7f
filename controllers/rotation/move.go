package rotation

// MoveKind is one of the only moves between the states of a key.
type MoveKind string

// The moves.
const (
	Prepare  MoveKind = "Prepare"
	Activate MoveKind = "Activate"
	Retire   MoveKind = "Retire"
	Revoke   MoveKind = "Revoke"
	Remove   MoveKind = "Remove"
)

// Reason says why a move is made. The same word feeds the log, the event, the condition and the metric.
type Reason string

// The reasons.
const (
	// FirstKey is the first key of a name: no token exists.
	FirstKey Reason = "FirstKey"
	// Scheduled is the rotation interval.
	Scheduled Reason = "Scheduled"
	// Requested is the rotate-requested-at annotation.
	Requested Reason = "Requested"
	// PolicyChanged is a new algorithm or key size.
	PolicyChanged Reason = "PolicyChanged"
	// KeyRevoked is a revocation, of this key or of the one it replaces.
	KeyRevoked Reason = "KeyRevoked"
	// NextStandby means that no Standby waits.
	NextStandby Reason = "NextStandby"
	// Superseded means that another key signs.
	Superseded Reason = "Superseded"
	// TokensExpired means that the last token the key can have signed has expired.
	TokensExpired Reason = "TokensExpired"
	// Draining means that the SigningKey was deleted with the policy Drain.
	Draining Reason = "Draining"
	// Resumed means that nothing signs since the SigningKey was drained, and it was applied again.
	Resumed Reason = "Resumed"
	// Deleted means that the SigningKey was deleted with the policy Delete.
	Deleted Reason = "Deleted"
)

// Move is one step of one key.
type Move struct {
	Kind   MoveKind
	KeyID  string
	Reason Reason
	// Early marks an Activate of a key that was not published for the propagation delay: the first key, or one that a
	// revocation promoted. Some verifiers may not know it yet.
	Early bool
	// LeftBehind marks an Activate that did not wait any longer for targets that refuse the key.
	LeftBehind bool
}
