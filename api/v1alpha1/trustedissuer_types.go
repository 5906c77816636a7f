package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// TrustedIssuer is an issuer outside this installation whose tokens the workloads of the selected namespaces trust: an
// OpenID provider, the API server of this cluster or of another one, a SPIFFE trust domain, or another Keywright. The
// fetcher reads its public keys, and the controller writes the usable ones into the ConfigMap keywright-jwks of every
// selected namespace, as <name>.json. Verifiers bind the issuer to that file.
//
// A user who can create TrustedIssuers defines whom the cluster trusts.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=keywright
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Issuer",type=string,JSONPath=`.spec.issuer`
// +kubebuilder:printcolumn:name="Keys",type=integer,JSONPath=`.status.keyCount`
// +kubebuilder:printcolumn:name="Fetched",type=date,JSONPath=`.status.lastFetchTime`
// +kubebuilder:printcolumn:name="In sync",type=string,JSONPath=`.status.targets.summary`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 200",message="metadata.name must have at most 200 characters: the names of its files are built from it"
type TrustedIssuer struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is the desired state.
	// +required
	Spec TrustedIssuerSpec `json:"spec"`
	// status is what the controller reports. The controller does not rely on it.
	// +kubebuilder:default={conditions: {{type: "Ready", status: "Unknown", reason: "Pending", message: "no controller has reconciled this TrustedIssuer yet", lastTransitionTime: "1970-01-01T00:00:00Z"}}}
	// +optional
	Status TrustedIssuerStatus `json:"status,omitzero"`
}

// TrustedIssuerList is a list of TrustedIssuers.
//
// +kubebuilder:object:root=true
type TrustedIssuerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []TrustedIssuer `json:"items"`
}

// TrustedIssuerSpec is the desired state of a TrustedIssuer.
//
// +kubebuilder:validation:XValidation:rule="!has(self.keys.discovery) || self.issuer.startsWith('https://')",message="keys.discovery requires an issuer that begins with https://: set keys.url instead",reason=FieldValueInvalid,fieldPath=".keys.discovery"
// +kubebuilder:validation:XValidation:rule="duration(self.maxStaleness) >= duration(self.refreshInterval) + duration(self.refreshInterval)",messageExpression="'maxStaleness must be at least twice refreshInterval, for example ' + self.refreshInterval + self.refreshInterval",message="maxStaleness must be at least twice refreshInterval",reason=FieldValueInvalid,fieldPath=".maxStaleness"
type TrustedIssuerSpec struct {
	// issuer is the exact iss of its tokens, like https://token.actions.githubusercontent.com. It cannot be changed:
	// create another TrustedIssuer instead.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="issuer cannot be changed: create another TrustedIssuer",reason=FieldValueForbidden
	// +kubebuilder:validation:XValidation:rule="!self.matches('[[:cntrl:]]')",message="must not have control characters"
	// +kubebuilder:validation:XValidation:rule="!self.contains('{')",message="must be the issuer of one tenant: replace the braces by the ID of the tenant",reason=FieldValueInvalid
	// +required
	Issuer string `json:"issuer"`
	// keys specifies where its public keys are.
	// +required
	Keys KeySource `json:"keys"`
	// algorithms are the allowed JWS algorithms. A key without alg gets the first of them that fits its type. Without
	// algorithms, an RSA key without alg gets RS256.
	// +listType=set
	// +kubebuilder:validation:MaxItems=7
	// +optional
	Algorithms []Algorithm `json:"algorithms,omitempty"`
	// refreshInterval is how often the keys are fetched, like 5m. At least 30s.
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(h|m|s|ms))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('30s') && duration(self) <= duration('24h')",message="must be between 30s and 24h, for example 5m",reason=FieldValueInvalid
	// +optional
	RefreshInterval metav1.Duration `json:"refreshInterval,omitzero"`
	// maxStaleness is the age of the last valid response after which the condition Stale is set, like 24h. At least twice
	// refreshInterval. The keys stay in use in any case.
	// +kubebuilder:default="24h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(h|m|s|ms))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('8760h')",message="must be between 1m and 8760h, for example 24h",reason=FieldValueInvalid
	// +optional
	MaxStaleness metav1.Duration `json:"maxStaleness,omitzero"`
	// withdrawn specifies how pods get their files when the issuer no longer publishes a key, which is then removed from
	// the files. Nudge makes kubelets renew the files at once, if the controller runs with --nudge-pods
	// (controller.nudgeAllPods in the chart). Otherwise, and with Wait, kubelets take up to 90 seconds.
	// +kubebuilder:default=Nudge
	// +optional
	Withdrawn WithdrawnPolicy `json:"withdrawn,omitempty"`
	// distribution specifies which namespaces trust the issuer.
	// +required
	Distribution TrustedIssuerDistribution `json:"distribution"`
}

// WithdrawnPolicy specifies what happens when an issuer withdraws a key.
//
// +kubebuilder:validation:Enum=Nudge;Wait
type WithdrawnPolicy string

// The policies for withdrawn keys.
const (
	Nudge WithdrawnPolicy = "Nudge"
	Wait  WithdrawnPolicy = "Wait"
)

// KeySource specifies where the public keys of an issuer are. All sources are read over HTTPS.
//
// +kubebuilder:validation:XValidation:rule="[has(self.discovery), has(self.url), has(self.inline), has(self.spiffeBundle), has(self.kubernetes)].filter(x, x).size() == 1",message="set exactly one of discovery, url, inline, spiffeBundle and kubernetes",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="!has(self.caBundle) || !has(self.caConfigMap)",message="set at most one of caBundle and caConfigMap",reason=FieldValueInvalid,fieldPath=".caBundle"
// +kubebuilder:validation:XValidation:rule="!(has(self.caBundle) || has(self.caConfigMap)) || has(self.discovery) || has(self.url) || has(self.spiffeBundle)",message="caBundle and caConfigMap are for discovery, url and spiffeBundle only: omit them",reason=FieldValueForbidden,fieldPath=".caBundle"
type KeySource struct {
	// discovery reads the jwks_uri of <issuer>/.well-known/openid-configuration (OpenID Connect Discovery section 4).
	// +optional
	Discovery *Discovery `json:"discovery,omitempty"`
	// url is the address of a JWKS (RFC 7517 section 5), like the /jwks of another Keywright.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() == 'https' && !self.contains('@')",message="must be an https URL without a user",reason=FieldValueInvalid
	// +optional
	URL string `json:"url,omitempty"`
	// inline is the JWKS itself. It is not fetched: change this field when the keys rotate.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	// +optional
	Inline string `json:"inline,omitempty"`
	// spiffeBundle is the bundle endpoint of a SPIFFE trust domain. Only its keys for JWT-SVIDs are used.
	// +optional
	SPIFFEBundle *SPIFFEBundle `json:"spiffeBundle,omitempty"`
	// kubernetes is the API server of this cluster, which signs the tokens of ServiceAccounts.
	// +optional
	Kubernetes *Kubernetes `json:"kubernetes,omitempty"`
	// caBundle has the CA certificates, in PEM, that the fetcher verifies the certificate of the server with. By default,
	// it uses the CA certificates of its system.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	// +optional
	CABundle string `json:"caBundle,omitempty"`
	// caConfigMap is an entry of a ConfigMap of the key namespace with the CA certificates, instead of caBundle.
	// +optional
	CAConfigMap *ConfigMapEntry `json:"caConfigMap,omitempty"`
}

// Discovery has no fields.
type Discovery struct{}

// Kubernetes has no fields.
type Kubernetes struct{}

// SPIFFEBundle is a SPIFFE bundle endpoint (SPIFFE Federation section 5.2.1, https_web).
type SPIFFEBundle struct {
	// url is the address of the bundle.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() == 'https' && !self.contains('@')",message="must be an https URL without a user",reason=FieldValueInvalid
	// +required
	URL string `json:"url"`
}

// ConfigMapEntry is one entry of a ConfigMap of the key namespace.
type ConfigMapEntry struct {
	// name of the ConfigMap.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`
	// key of the entry.
	// +kubebuilder:default="ca.crt"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Key string `json:"key,omitempty"`
}

// TrustedIssuerDistribution specifies which namespaces trust an issuer.
type TrustedIssuerDistribution struct {
	// namespaceSelector selects the namespaces that get the public keys. To select every namespace, write {matchLabels:
	// {}}: an empty selector is refused, since a misspelt field would produce one.
	// +kubebuilder:validation:XValidation:rule="has(self.matchLabels) || has(self.matchExpressions)",message="must select namespaces, for example matchLabels: {keywright.dev/verify: 'true'}, or matchLabels: {} for every namespace",reason=FieldValueInvalid
	// +required
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector"`
	// gatewayEntry also writes the key set as the entry jwks of the ConfigMap, for Envoy Gateway (localJWKS.valueRef) and
	// kgateway (jwks.local.configMapRef). Per namespace, one SigningKey or TrustedIssuer has it: the one that was created
	// first.
	// +optional
	GatewayEntry bool `json:"gatewayEntry,omitempty"`
}
