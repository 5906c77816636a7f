package rotation

// MoveKind is a transition between the states of a key.
type MoveKind string

// The moves.
const (
	Prepare  MoveKind = "Prepare"
	Activate MoveKind = "Activate"
	Retire   MoveKind = "Retire"
	Revoke   MoveKind = "Revoke"
	Remove   MoveKind = "Remove"
)

// Reason is why a move is made. Log, event, condition and metric use the same word.
type Reason string

// The reasons.
const (
	// FirstKey means that the key is the first of its name, and no token exists.
	FirstKey Reason = "FirstKey"
	// Scheduled means that the rotation interval has passed.
	Scheduled Reason = "Scheduled"
	// Requested means that the annotation rotate-requested-at was set.
	Requested Reason = "Requested"
	// PolicyChanged means that the algorithm or key size changed.
	PolicyChanged Reason = "PolicyChanged"
	// KeyRevoked means that this key, or the one it replaces, was revoked.
	KeyRevoked Reason = "KeyRevoked"
	// NextStandby means that there was no Standby.
	NextStandby Reason = "NextStandby"
	// Superseded means that another key signs.
	Superseded Reason = "Superseded"
	// TokensExpired means that the last token of the key has expired.
	TokensExpired Reason = "TokensExpired"
	// Draining means that the SigningKey was deleted with deletionPolicy Drain.
	Draining Reason = "Draining"
	// Resumed means that a drained SigningKey was created again.
	Resumed Reason = "Resumed"
	// Deleted means that the SigningKey was deleted with deletionPolicy Delete.
	Deleted Reason = "Deleted"
)

// Move is one transition of a key.
type Move struct {
	Kind   MoveKind
	KeyID  string
	Reason Reason
	// Early is true for an Activate of a key that was not published for the propagation delay: the first key, or one
	// after a revocation. Some verifiers may not know it yet.
	Early bool
	// LeftBehind is true for an Activate that stopped waiting for targets that reject the key.
	LeftBehind bool
}
