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
	// RequestAuthenticationPrefix begins the reserved names of Istio's RequestAuthentications, "keywright-<name>".
	RequestAuthenticationPrefix = "keywright-"
	// FetchedConfigMap is the ConfigMap of the key namespace in which the fetcher hands over the keys of TrustedIssuers: package
	// fetched has its format.
	FetchedConfigMap = "keywright-fetched"
)

// The files of the signing-key Secret, as an issuer sees them in its mount.
const (
	// ActiveFile holds the Active key as a private JWK (RFC 7517 section 4): one JSON object with kid, alg and use.
	// It is absent while a SigningKey drains: the issuer then answers /token with 503 and goes on serving /jwks.
	ActiveFile = "active.jwk"
	// JWKSFile holds the public keys as a JWKS (RFC 7517 section 5): Standby, Active and Retired.
	JWKSFile = "jwks.json"
	// PolicyFile holds the issuing policy, a JSON object: package issuerfiles has its members.
	PolicyFile = "policy.json"
	// RevokedFile holds the IDs of the keys that must not sign: package issuerfiles has its format.
	RevokedFile = "revoked"
	// SealingFile holds the symmetric keys of refresh tokens: package issuerfiles has its format. There is none without sessions.
	SealingFile = "sealing.json"
)

// The keyring Secret.
const (
	// KeyringFile is the only entry of the keyring Secret.
	KeyringFile = "keyring.json"
)

// The files of JWKSConfigMap: up to three for each SigningKey, the first of them for each TrustedIssuer.
const (
	// JWKSSuffix ends the name of a key set, "<name>.json".
	JWKSSuffix = ".json"
	// GatewayFile is a second copy of one key set per namespace, under the name that Envoy Gateway and kgateway read.
	GatewayFile = "jwks"
	// RevokedSuffix ends the name of a revocation list, "<name>.revoked".
	RevokedSuffix = ".revoked"
	// CASuffix ends the name of the CA certificates of an issuer, "<name>.tls-ca.crt": PEM. In the order of names it comes behind the key set,
	// which some gateways take for being the first entry.
	CASuffix = ".tls-ca.crt"
)

// MountPath is where pods mount JWKSConfigMap, as a projected volume with optional: false and without subPath.
const MountPath = "/var/run/keywright/jwks"

// Labels and annotations.
const (
	// ManagedByLabel with the value ManagedBy is on every object that the controller writes.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of ManagedByLabel, and the field manager of every write.
	ManagedBy = "keywright"
	// RoleLabel tells the Secrets of the key namespace apart; its values are RoleKeyring and RoleSigningKey. A ConfigMap there bears
	// RoleIssuerCA.
	RoleLabel = Group + "/role"
	// RoleKeyring is the RoleLabel of a keyring Secret.
	RoleKeyring = "keyring"
	// RoleSigningKey is the RoleLabel of a signing-key Secret.
	RoleSigningKey = "signing-key"
	// RoleIssuerCA is the RoleLabel of a ConfigMap with CA certificates that a SigningKey may distribute.
	RoleIssuerCA = "issuer-ca"
	// SigningKeyAnnotation names the SigningKey that a Secret belongs to. (A label could not hold 200 characters.)
	SigningKeyAnnotation = Group + "/signing-key"
	// GenerationAnnotation on a signing-key Secret is the keyring generation it was made from (decimal).
	GenerationAnnotation = Group + "/keyring-generation"
	// ProjectionsAnnotation on JWKSConfigMap is a JSON object: for each SigningKey or TrustedIssuer the generation that its file
	// was made from, and since when the namespace is no longer selected.
	ProjectionsAnnotation = Group + "/projections"
	// KeyNamespaceAnnotation on a SigningKey is the key namespace of the installation that reconciles it. Another installation
	// writes nothing.
	KeyNamespaceAnnotation = Group + "/key-namespace"
	// RotateAnnotation on a SigningKey asks for one rotation. Its value is the time of the request (RFC 3339).
	RotateAnnotation = Group + "/rotate-requested-at"
	// NudgedAnnotation on a pod is when the controller touched it last, to make its kubelet renew the mounted files at once
	// (RFC 3339, with nanoseconds). It is all that the controller ever changes of a pod.
	NudgedAnnotation = Group + "/nudged-at"
	// Finalizer on a SigningKey lets the controller carry out its deletionPolicy.
	Finalizer = Group + "/deletion-policy"
)
