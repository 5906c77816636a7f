package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// SigningKey is a key that an issuer signs tokens with and that the workloads of the selected namespaces trust. The
// controller rotates it, keeps its private keys in the key namespace, and writes its public keys into the ConfigMap
// keywright-jwks of every selected namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=keywright
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Algorithm",type=string,JSONPath=`.spec.algorithm`
// +kubebuilder:printcolumn:name="Active key",type=string,JSONPath=`.status.activeKeyID`
// +kubebuilder:printcolumn:name="Next rotation",type=string,JSONPath=`.status.nextRotationTime`
// +kubebuilder:printcolumn:name="In sync",type=string,JSONPath=`.status.targets.summary`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 200",message="metadata.name must have at most 200 characters: the names of its Secrets are built from it"
type SigningKey struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is the desired state.
	// +required
	Spec SigningKeySpec `json:"spec"`
	// status is what the controller reports. The controller does not rely on it.
	// +kubebuilder:default={conditions: {{type: "Ready", status: "Unknown", reason: "Pending", message: "no controller has reconciled this SigningKey yet", lastTransitionTime: "1970-01-01T00:00:00Z"}}}
	// +optional
	Status SigningKeyStatus `json:"status,omitzero"`
}

// SigningKeyList is a list of SigningKeys.
//
// +kubebuilder:object:root=true
type SigningKeyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []SigningKey `json:"items"`
}

// Algorithm is a JWS algorithm (RFC 7518 section 3.1; RFC 8037 for EdDSA).
//
// +kubebuilder:validation:Enum=ES256;ES384;ES512;EdDSA;RS256;RS384;RS512
type Algorithm string

// The algorithms.
const (
	ES256 Algorithm = "ES256"
	ES384 Algorithm = "ES384"
	ES512 Algorithm = "ES512"
	EdDSA Algorithm = "EdDSA"
	RS256 Algorithm = "RS256"
	RS384 Algorithm = "RS384"
	RS512 Algorithm = "RS512"
)

// SigningKeySpec is the desired state of a SigningKey.
//
// +kubebuilder:validation:XValidation:rule="duration(self.rotation.interval) >= duration(self.distribution.propagationDelay) + duration(self.token.maxLifetime) + duration(self.token.clockSkew)",messageExpression="'rotation.interval must be at least distribution.propagationDelay + token.maxLifetime + token.clockSkew, for example ' + self.distribution.propagationDelay + self.token.maxLifetime + self.token.clockSkew",message="rotation.interval must be at least distribution.propagationDelay + token.maxLifetime + token.clockSkew",reason=FieldValueInvalid,fieldPath=".rotation.interval"
// +kubebuilder:validation:XValidation:rule="!has(self.rsaKeySize) || self.algorithm.startsWith('RS')",messageExpression="'rsaKeySize is for RS256, RS384 and RS512 only: leave it out with ' + self.algorithm",message="rsaKeySize is for RS256, RS384 and RS512 only",reason=FieldValueForbidden,fieldPath=".rsaKeySize"
// +kubebuilder:validation:XValidation:rule="self.algorithm.startsWith('ES') == oldSelf.algorithm.startsWith('ES') && self.algorithm.startsWith('RS') == oldSelf.algorithm.startsWith('RS')",messageExpression="'algorithm may not change the key type, since some libraries reject a whole key set for one key of a type they do not know: keep ' + oldSelf.algorithm + (oldSelf.algorithm.startsWith('ES') ? ' or another ES algorithm' : oldSelf.algorithm.startsWith('RS') ? ' or another RS algorithm' : ' as it is') + ', or create a second SigningKey'",message="algorithm may not change the key type: create a second SigningKey",reason=FieldValueInvalid,fieldPath=".algorithm"
type SigningKeySpec struct {
	// algorithm is the JWS algorithm of the tokens. It can change within one key type (ES*, RS*), which rotates the key.
	// The kube-apiserver does not accept EdDSA.
	// +kubebuilder:default=ES256
	// +optional
	Algorithm Algorithm `json:"algorithm,omitempty"`
	// rsaKeySize is the size of an RSA key in bits, 2048 by default. For RS256, RS384 and RS512 only.
	// +kubebuilder:validation:Enum=2048;3072;4096
	// +optional
	RSAKeySize *int32 `json:"rsaKeySize,omitempty"`
	// rotation specifies when the key is rotated.
	// +kubebuilder:default={}
	// +optional
	Rotation Rotation `json:"rotation,omitzero"`
	// token limits the tokens that are signed.
	// +kubebuilder:default={}
	// +optional
	Token Token `json:"token,omitzero"`
	// sessions allows issuers to issue refresh tokens, which are sealed with keys that only issuers have. Without it,
	// there are no refresh tokens. Removing it ends all sessions.
	// +optional
	Sessions *Sessions `json:"sessions,omitempty"`
	// distribution specifies which namespaces trust the key.
	// +required
	Distribution Distribution `json:"distribution"`
	// outputs are other forms of the public keys, for software that reads neither a file nor a ConfigMap.
	// +optional
	Outputs *Outputs `json:"outputs,omitempty"`
	// revokedKeyIDs are keys that are revoked. Removing one from the list does not restore it.
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9_-]{43}$`
	// +kubebuilder:validation:items:MaxLength=43
	// +optional
	RevokedKeyIDs []string `json:"revokedKeyIDs,omitempty"`
	// deletionPolicy specifies what happens to the keys when this object is deleted. Retain leaves Secrets and files in
	// place. Drain stops signing, and removes the keys when the last token has expired. Delete removes them at once. With
	// Drain and Delete, the object is Terminating for another propagation delay, until every pod has files without the
	// keys.
	// +kubebuilder:default=Retain
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// DeletionPolicy specifies what happens to the keys when a SigningKey is deleted.
//
// +kubebuilder:validation:Enum=Retain;Drain;Delete
type DeletionPolicy string

// The deletion policies.
const (
	Retain DeletionPolicy = "Retain"
	Drain  DeletionPolicy = "Drain"
	Delete DeletionPolicy = "Delete"
)

// RotationMode specifies what causes a rotation.
//
// +kubebuilder:validation:Enum=Automatic;Manual
type RotationMode string

// The rotation modes.
const (
	Automatic RotationMode = "Automatic"
	Manual    RotationMode = "Manual"
)

// Rotation specifies when the key is rotated.
type Rotation struct {
	// mode is Automatic (every interval, and on request) or Manual (on request only).
	// +kubebuilder:default=Automatic
	// +optional
	Mode RotationMode `json:"mode,omitempty"`
	// interval is how long a key signs, like 720h. At least propagationDelay + maxLifetime + clockSkew.
	// +kubebuilder:default="720h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=96
	// +kubebuilder:validation:Pattern=`^([0-9]+(h|m|s|ms))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('87600h')",message="must be between 1s and 87600h, for example 720h",reason=FieldValueInvalid
	// +optional
	Interval metav1.Duration `json:"interval,omitzero"`
	// waitForTargets is how long namespaces that refuse the next key, or repeatedly lose it, delay a due rotation, like
	// 24h. Then it proceeds without them, and their pods reject new tokens until their file is up to date. The wait is at
	// least 2 * propagationDelay + clockSkew.
	// +kubebuilder:default="24h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(h|m|s|ms))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('8760h')",message="must be between 1s and 8760h, for example 24h",reason=FieldValueInvalid
	// +optional
	WaitForTargets metav1.Duration `json:"waitForTargets,omitzero"`
}

// Token limits the tokens that are signed.
type Token struct {
	// maxLifetime is the longest lifetime of a token, exp - iat, like 1h. At most 24h.
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(h|m|s|ms))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="must be between 1s and 24h, for example 1h",reason=FieldValueInvalid
	// +optional
	MaxLifetime metav1.Duration `json:"maxLifetime,omitzero"`
	// clockSkew is the largest difference allowed between the clocks of controller, issuers and verifiers, like 1m.
	// +kubebuilder:default="1m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(h|m|s|ms))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('1h')",message="must be between 1s and 1h, for example 1m",reason=FieldValueInvalid
	// +optional
	ClockSkew metav1.Duration `json:"clockSkew,omitzero"`
}

// Sessions limits the refresh tokens (RFC 6749 section 6) that issuers give. An issuer can be configured with shorter
// lifetimes.
//
// +kubebuilder:validation:XValidation:rule="duration(self.maxSessionLifetime) >= duration(self.maxRefreshLifetime)",messageExpression="'maxSessionLifetime must be at least maxRefreshLifetime, for example ' + self.maxRefreshLifetime",message="maxSessionLifetime must be at least maxRefreshLifetime",reason=FieldValueInvalid,fieldPath=".maxSessionLifetime"
type Sessions struct {
	// maxRefreshLifetime is the longest lifetime of a refresh token, like 12h: how long a client can be away and stay
	// logged in. At most 720h.
	// +kubebuilder:default="12h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(h|m|s|ms))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('720h')",message="must be between 1s and 720h, for example 12h",reason=FieldValueInvalid
	// +optional
	MaxRefreshLifetime metav1.Duration `json:"maxRefreshLifetime,omitzero"`
	// maxSessionLifetime is the longest time between two logins, like 720h, however often the client refreshes. At most
	// 8760h.
	// +kubebuilder:default="720h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(h|m|s|ms))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('8760h')",message="must be between 1s and 8760h, for example 720h",reason=FieldValueInvalid
	// +optional
	MaxSessionLifetime metav1.Duration `json:"maxSessionLifetime,omitzero"`
}

// Distribution specifies which namespaces trust the key, and how long its files take to reach pods.
type Distribution struct {
	// namespaceSelector selects the namespaces that get the public keys. To select every namespace, write {matchLabels:
	// {}}: an empty selector is refused, since a misspelt field would produce one. Go programs, which omit empty maps, can
	// require that the label kubernetes.io/metadata.name Exists.
	// +kubebuilder:validation:XValidation:rule="has(self.matchLabels) || has(self.matchExpressions)",message="must select namespaces, for example matchLabels: {keywright.dev/verify: 'true'}, or matchLabels: {} for every namespace",reason=FieldValueInvalid
	// +required
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector"`
	// propagationDelay is how old the files of any running pod may be, like 15m. A key is published for this long before
	// it signs. Kubelets need up to 90s.
	// +kubebuilder:default="15m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(h|m|s|ms))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="must be between 1s and 24h, for example 15m",reason=FieldValueInvalid
	// +optional
	PropagationDelay metav1.Duration `json:"propagationDelay,omitzero"`
	// gatewayEntry also writes the key set as the entry jwks of the ConfigMap, for Envoy Gateway (localJWKS.valueRef) and
	// kgateway (jwks.local.configMapRef). Per namespace, one SigningKey or TrustedIssuer has it: the one that was created
	// first.
	// +optional
	GatewayEntry bool `json:"gatewayEntry,omitempty"`
	// caConfigMap is an entry of a ConfigMap of the key namespace, with CA certificates in PEM. Clients verify the
	// issuer's TLS certificate with them. They are written into the ConfigMap keywright-jwks of every selected namespace,
	// as <name>.tls-ca.crt. The ConfigMap must have the label keywright.dev/role: issuer-ca. A certificate that is removed
	// from it stays in the files for propagationDelay + clockSkew.
	// +optional
	CAConfigMap *ConfigMapEntry `json:"caConfigMap,omitempty"`
}
