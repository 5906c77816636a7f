// Package contract holds the names that the controller, the issuer and the verifiers agree on: objects, files, labels
// and annotations. It holds constants only and imports nothing, so that every side can import it.
package contract

// Group is the API group of SigningKey, and the prefix of every label and annotation below.
const Group = "keywright.dev"

// The objects of one SigningKey, all named after it. Secrets live in the key namespace only.
const (
	// KeyringSuffix ends the name of the Secret that holds every key of a SigningKey. Only the controller reads it.
	KeyringSuffix = "-keyring"
	// SigningKeySuffix ends the name of the Secret that the pods of the issuer mount.
	SigningKeySuffix = "-signing-key"
	// JWKSConfigMap is the one, reserved name of the ConfigMap with the public keys, in every target namespace.
	JWKSConfigMap = "keywright-jwks"
)

// The files of the signing-key Secret, as an issuer sees them in its mount.
const (
	// ActiveFile holds the Active key as a private JWK (RFC 7517 section 4): one JSON object with kid, alg and use.
	// It is absent while a SigningKey drains: the issuer then answers /token with 503 and goes on serving /jwks.
	ActiveFile = "active.jwk"
	// JWKSFile holds the public keys as a JWKS (RFC 7517 section 5): Standby, Active and Retired.
	JWKSFile = "jwks.json"
	// PolicyFile holds the issuing policy: a JSON object of the members below.
	PolicyFile = "policy.json"
)

// The members of PolicyFile.
const (
	// PolicySigningKey is the name of the SigningKey (string).
	PolicySigningKey = "signingKey"
	// PolicyAlgorithm is the JWS algorithm of the Active key (string, RFC 7518 section 3.1).
	PolicyAlgorithm = "algorithm"
	// PolicyMaxLifetime is the longest lifetime of a token, exp - iat, in whole seconds (number).
	PolicyMaxLifetime = "maxLifetimeSeconds"
	// PolicyClockSkew is by how much the clocks of issuers and verifiers may differ, in whole seconds (number).
	PolicyClockSkew = "clockSkewSeconds"
	// PolicyNextRotation is when the next scheduled rotation is due (string, RFC 3339), absent when none is scheduled.
	PolicyNextRotation = "nextRotationTime"
)

// The keyring Secret.
const (
	// KeyringFile is the only entry of the keyring Secret.
	KeyringFile = "keyring.json"
)

// JWKSSuffix ends the name of each file of JWKSConfigMap: one file a SigningKey, "<name>.json".
const JWKSSuffix = ".json"

// MountPath is where pods mount JWKSConfigMap, as a projected volume with optional: false and without subPath.
const MountPath = "/var/run/keywright/jwks"

// Labels and annotations.
const (
	// ManagedByLabel with the value ManagedBy is on every object that the controller writes.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of ManagedByLabel, and the field manager of every write.
	ManagedBy = "keywright"
	// RoleLabel tells the Secrets of the key namespace apart; its values are RoleKeyring and RoleSigningKey.
	RoleLabel = Group + "/role"
	// RoleKeyring is the RoleLabel of a keyring Secret.
	RoleKeyring = "keyring"
	// RoleSigningKey is the RoleLabel of a signing-key Secret.
	RoleSigningKey = "signing-key"
	// SigningKeyAnnotation names the SigningKey that a Secret belongs to. (A label could not hold 200 characters.)
	SigningKeyAnnotation = Group + "/signing-key"
	// GenerationAnnotation on a signing-key Secret is the keyring generation it was made from (decimal).
	GenerationAnnotation = Group + "/keyring-generation"
	// ProjectionsAnnotation on JWKSConfigMap is a JSON object: for each SigningKey the keyring generation that its file
	// was made from, and since when the namespace is no longer selected.
	ProjectionsAnnotation = Group + "/projections"
	// RotateAnnotation on a SigningKey asks for one rotation. Its value is the time of the request (RFC 3339).
	RotateAnnotation = Group + "/rotate-requested-at"
	// NudgedAnnotation on a pod is when the controller touched it last, to make its kubelet renew the mounted files at once
	// (RFC 3339, with nanoseconds). It is all that the controller ever changes of a pod.
	NudgedAnnotation = Group + "/nudged-at"
	// Finalizer on a SigningKey lets the controller carry out its deletionPolicy.
	Finalizer = Group + "/deletion-policy"
)
