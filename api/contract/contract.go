// Package contract defines the names that the controller, the issuer and the verifiers share: objects, files, labels
// and annotations. It contains only constants and has no imports.
package contract

// Group is the API group of SigningKey, and the prefix of all labels and annotations below.
const Group = "keywright.dev"

// The objects of a SigningKey, which are named after it. Secrets exist only in the key namespace.
const (
	// KeyringSuffix is the name suffix of the keyring Secret, which contains all keys of a SigningKey. Only the
	// controller reads it.
	KeyringSuffix = "-keyring"
	// SigningKeySuffix is the name suffix of the Secret that the pods of the issuer mount.
	SigningKeySuffix = "-signing-key"
	// JWKSConfigMap is the reserved name of the ConfigMap with the public keys, in every target namespace.
	JWKSConfigMap = "keywright-jwks"
	// RequestAuthenticationPrefix is the reserved name prefix of Istio's RequestAuthentications, "keywright-<name>".
	RequestAuthenticationPrefix = "keywright-"
	// FetchedConfigMap is the ConfigMap in the key namespace in which the fetcher passes the keys of TrustedIssuers
	// to the controller, in the format of package fetched.
	FetchedConfigMap = "keywright-fetched"
	// Lease is the name of the Lease in the key namespace that the leader of the controllers holds.
	Lease = "keywright-controller"
)

// The files of the signing-key Secret.
const (
	// ActiveFile contains the Active key as a private JWK (RFC 7517 section 4) with kid, alg and use. It is absent
	// while a SigningKey drains: the issuer then responds to /token with 503, and still serves /jwks.
	ActiveFile = "active.jwk"
	// JWKSFile contains the public Standby, Active and Retired keys as a JWKS (RFC 7517 section 5).
	JWKSFile = "jwks.json"
	// PolicyFile contains the issuing policy, a JSON object in the format of package issuerfiles.
	PolicyFile = "policy.json"
	// RevokedFile contains the IDs of the keys that must not sign, in the format of package issuerfiles.
	RevokedFile = "revoked"
	// SealingFile contains the symmetric keys of refresh tokens, in the format of package issuerfiles. It is absent
	// without sessions.
	SealingFile = "sealing.json"
)

// The keyring Secret.
const (
	// KeyringFile is the only entry of the keyring Secret.
	KeyringFile = "keyring.json"
)

// The files of JWKSConfigMap: up to three per SigningKey, and the first of them per TrustedIssuer.
const (
	// JWKSSuffix is the suffix of a key set, "<name>.json".
	JWKSSuffix = ".json"
	// GatewayFile is a copy of one key set per namespace, under the name that Envoy Gateway and kgateway read.
	GatewayFile = "jwks"
	// RevokedSuffix is the suffix of a revocation list, "<name>.revoked".
	RevokedSuffix = ".revoked"
	// CASuffix is the suffix of the CA certificates of an issuer, "<name>.tls-ca.crt", in PEM. It sorts after the key
	// set, because some gateways read the first entry.
	CASuffix = ".tls-ca.crt"
)

// MountPath is where pods mount JWKSConfigMap, as a projected volume with optional: false and without subPath.
const MountPath = "/var/run/keywright/jwks"

// Labels and annotations.
const (
	// ManagedByLabel has the value ManagedBy on every object that the controller writes.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of ManagedByLabel, and the field manager of every write.
	ManagedBy = "keywright"
	// InjectLabel on a pod or a namespace, with the value true, mounts JWKSConfigMap: config/injection.
	InjectLabel = Group + "/inject"
	// RoleLabel distinguishes the Secrets of the key namespace, with the values RoleKeyring and RoleSigningKey, and
	// marks a ConfigMap as RoleIssuerCA.
	RoleLabel = Group + "/role"
	// RoleKeyring is the RoleLabel of a keyring Secret.
	RoleKeyring = "keyring"
	// RoleSigningKey is the RoleLabel of a signing-key Secret.
	RoleSigningKey = "signing-key"
	// RoleIssuerCA is the RoleLabel of a ConfigMap with CA certificates that a SigningKey may distribute.
	RoleIssuerCA = "issuer-ca"
	// SigningKeyAnnotation is the name of the SigningKey of a Secret. A label value is too short for it.
	SigningKeyAnnotation = Group + "/signing-key"
	// GenerationAnnotation on a signing-key Secret is the decimal keyring generation that it was made from.
	GenerationAnnotation = Group + "/keyring-generation"
	// ProjectionsAnnotation on JWKSConfigMap is a JSON object with, per SigningKey or TrustedIssuer, the generation
	// that its file was made from, and since when the namespace is no longer selected.
	ProjectionsAnnotation = Group + "/projections"
	// KeyNamespaceAnnotation on a SigningKey is the key namespace of the installation that reconciles it. Other
	// installations write nothing.
	KeyNamespaceAnnotation = Group + "/key-namespace"
	// RotateAnnotation on a SigningKey requests one rotation. Its value is the time of the request (RFC 3339).
	RotateAnnotation = Group + "/rotate-requested-at"
	// NudgedAnnotation on a pod is the time of the controller's last update (RFC 3339, with nanoseconds), which makes
	// the kubelet renew the mounted files at once. The controller changes nothing else in a pod.
	NudgedAnnotation = Group + "/nudged-at"
	// Finalizer on a SigningKey makes the controller apply its deletionPolicy.
	Finalizer = Group + "/deletion-policy"
)
