package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// SigningKey is a key that an issuer signs tokens with and that the workloads of the selected namespaces trust. The
// controller keeps its private half in the key namespace, puts its public keys into the ConfigMap keywright-jwks of every
// selected namespace, and rotates it.
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
	// spec is what you ask for.
	// +required
	Spec SigningKeySpec `json:"spec"`
	// status is what the controller reports. It is never read back.
	// +kubebuilder:default={conditions: {{type: "Ready", status: "Unknown", reason: "Pending", message: "no controller has looked at this SigningKey yet", lastTransitionTime: "1970-01-01T00:00:00Z"}}}
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

// SigningKeySpec is what a SigningKey asks for.
//
// +kubebuilder:validation:XValidation:rule="duration(self.rotation.interval) >= duration(self.distribution.propagationDelay) + duration(self.token.maxLifetime) + duration(self.token.clockSkew)",messageExpression="'rotation.interval must be at least distribution.propagationDelay + token.maxLifetime + token.clockSkew: ' + self.distribution.propagationDelay + self.token.maxLifetime + self.token.clockSkew + ' would do'",message="rotation.interval must be at least distribution.propagationDelay + token.maxLifetime + token.clockSkew",reason=FieldValueInvalid,fieldPath=".rotation.interval"
// +kubebuilder:validation:XValidation:rule="!has(self.rsaKeySize) || self.algorithm.startsWith('RS')",messageExpression="'rsaKeySize is for RS256, RS384 and RS512 only: leave it out with ' + self.algorithm",message="rsaKeySize is for RS256, RS384 and RS512 only",reason=FieldValueForbidden,fieldPath=".rsaKeySize"
// +kubebuilder:validation:XValidation:rule="self.algorithm.startsWith('ES') == oldSelf.algorithm.startsWith('ES') && self.algorithm.startsWith('RS') == oldSelf.algorithm.startsWith('RS')",messageExpression="'algorithm may not change the key type, since some libraries reject a whole key set for one key of a type they do not know: keep ' + oldSelf.algorithm + (oldSelf.algorithm.startsWith('ES') ? ' or another ES algorithm' : oldSelf.algorithm.startsWith('RS') ? ' or another RS algorithm' : ' as it is') + ', or make a second SigningKey'",message="algorithm may not change the key type: make a second SigningKey",reason=FieldValueInvalid,fieldPath=".algorithm"
type SigningKeySpec struct {
	// algorithm is what tokens are signed with. It can change within one key type (ES*, RS*), which rotates the key. The
	// kube-apiserver does not accept EdDSA.
	// +kubebuilder:default=ES256
	// +optional
	Algorithm Algorithm `json:"algorithm,omitempty"`
	// rsaKeySize is the size of an RSA key in bits, 2048 if not set. For RS256, RS384 and RS512 only.
	// +kubebuilder:validation:Enum=2048;3072;4096
	// +optional
	RSAKeySize *int32 `json:"rsaKeySize,omitempty"`
	// rotation says when the key changes.
	// +kubebuilder:default={}
	// +optional
	Rotation Rotation `json:"rotation,omitzero"`
	// token bounds the tokens that are signed.
	// +kubebuilder:default={}
	// +optional
	Token Token `json:"token,omitzero"`
	// sessions allows issuers to give refresh tokens, which are sealed with keys that only issuers have. Without it there are
	// none. Taking it away ends all sessions.
	// +optional
	Sessions *Sessions `json:"sessions,omitempty"`
	// distribution says which namespaces trust the key.
	// +required
	Distribution Distribution `json:"distribution"`
	// outputs are other forms of the public keys, for what reads neither a file nor a ConfigMap.
	// +optional
	Outputs *Outputs `json:"outputs,omitempty"`
	// revokedKeyIDs are keys that must not be trusted from now on. Taking one out again does not bring it back.
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9_-]{43}$`
	// +kubebuilder:validation:items:MaxLength=43
	// +optional
	RevokedKeyIDs []string `json:"revokedKeyIDs,omitempty"`
	// deletionPolicy says what happens to trust when this object is deleted. Retain leaves Secrets and files in place.
	// Drain stops the signing and takes the keys away when the last token has expired. Delete takes them away at once. Either
	// way the object is Terminating until every pod has had the propagation delay to read that nobody is trusted any more.
	// +kubebuilder:default=Retain
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// DeletionPolicy says what happens to trust when a SigningKey is deleted.
//
// +kubebuilder:validation:Enum=Retain;Drain;Delete
type DeletionPolicy string

// The deletion policies.
const (
	Retain DeletionPolicy = "Retain"
	Drain  DeletionPolicy = "Drain"
	Delete DeletionPolicy = "Delete"
)

// RotationMode says what makes a key change.
//
// +kubebuilder:validation:Enum=Automatic;Manual
type RotationMode string

// The rotation modes.
const (
	Automatic RotationMode = "Automatic"
	Manual    RotationMode = "Manual"
)

// Rotation says when the key changes.
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
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('87600h')",message="must be between 1s and 87600h: 720h would do",reason=FieldValueInvalid
	// +optional
	Interval metav1.Duration `json:"interval,omitzero"`
	// waitForTargets is how long namespaces that refuse the next key, or lose it again and again, delay a rotation that is due,
	// like 24h. Then it happens without them: their pods reject the new tokens until the file is right. At least
	// 2 * propagationDelay + clockSkew is waited.
	// +kubebuilder:default="24h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(h|m|s|ms))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('8760h')",message="must be between 1s and 8760h: 24h would do",reason=FieldValueInvalid
	// +optional
	WaitForTargets metav1.Duration `json:"waitForTargets,omitzero"`
}

// Token bounds the tokens that are signed.
type Token struct {
	// maxLifetime is the longest lifetime of a token, exp - iat, like 1h. At most 24h.
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(h|m|s|ms))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="must be between 1s and 24h: 1h would do",reason=FieldValueInvalid
	// +optional
	MaxLifetime metav1.Duration `json:"maxLifetime,omitzero"`
	// clockSkew is by how much the clocks of controller, issuers and verifiers may differ, like 1m.
	// +kubebuilder:default="1m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(h|m|s|ms))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('1h')",message="must be between 1s and 1h: 1m would do",reason=FieldValueInvalid
	// +optional
	ClockSkew metav1.Duration `json:"clockSkew,omitzero"`
}

// Sessions bounds the refresh tokens (RFC 6749 section 6) that issuers give. An issuer can be configured with shorter lifetimes.
//
// +kubebuilder:validation:XValidation:rule="duration(self.maxSessionLifetime) >= duration(self.maxRefreshLifetime)",messageExpression="'maxSessionLifetime must be at least maxRefreshLifetime: ' + self.maxRefreshLifetime + ' would do'",message="maxSessionLifetime must be at least maxRefreshLifetime",reason=FieldValueInvalid,fieldPath=".maxSessionLifetime"
type Sessions struct {
	// maxRefreshLifetime is the longest lifetime of a refresh token, like 12h: how long a client can be away and stay logged in.
	// At most 720h.
	// +kubebuilder:default="12h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(h|m|s|ms))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('720h')",message="must be between 1s and 720h: 12h would do",reason=FieldValueInvalid
	// +optional
	MaxRefreshLifetime metav1.Duration `json:"maxRefreshLifetime,omitzero"`
	// maxSessionLifetime is the longest time between two logins, like 720h, however often the client refreshes. At most 8760h.
	// +kubebuilder:default="720h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(h|m|s|ms))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('8760h')",message="must be between 1s and 8760h: 720h would do",reason=FieldValueInvalid
	// +optional
	MaxSessionLifetime metav1.Duration `json:"maxSessionLifetime,omitzero"`
}

// Distribution says which namespaces trust the key, and how fast its files travel.
type Distribution struct {
	// namespaceSelector selects the namespaces that get the public keys. To select every namespace, write
	// {matchLabels: {}}: an empty selector is refused, since that is what remains of a misspelt one. Programs in Go, which leave
	// empty maps out, say that the label kubernetes.io/metadata.name Exists.
	// +kubebuilder:validation:XValidation:rule="has(self.matchLabels) || has(self.matchExpressions)",message="must say which namespaces: matchLabels: {keywright.dev/verify: 'true'} would do, or matchLabels: {} for every namespace",reason=FieldValueInvalid
	// +required
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector"`
	// propagationDelay is by how much the files of any running pod may lag behind the API, like 15m. A key is published for
	// this long before it signs. Kubelets need up to 90s.
	// +kubebuilder:default="15m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(h|m|s|ms))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="must be between 1s and 24h: 15m would do",reason=FieldValueInvalid
	// +optional
	PropagationDelay metav1.Duration `json:"propagationDelay,omitzero"`
	// gatewayEntry writes the key set a second time, as the entry jwks of the ConfigMap, which is what Envoy Gateway (localJWKS.valueRef) and
	// kgateway (jwks.local.configMapRef) read. One SigningKey or TrustedIssuer per namespace has it: the one that was created first.
	// +optional
	GatewayEntry bool `json:"gatewayEntry,omitempty"`
	// caConfigMap is an entry of a ConfigMap of the key namespace with the CA certificates that clients trust the issuer by, PEM. They are
	// written into the ConfigMap keywright-jwks of every selected namespace, as <name>.tls-ca.crt. The ConfigMap must have the label
	// keywright.dev/role: issuer-ca. A certificate that leaves it stays in the files for propagationDelay + clockSkew.
	// +optional
	CAConfigMap *ConfigMapEntry `json:"caConfigMap,omitempty"`
}
