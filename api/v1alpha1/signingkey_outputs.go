package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Outputs are other forms of the public keys.
//
// +kubebuilder:validation:XValidation:rule="has(self.istio)",message="name an output, like istio, or leave outputs out",reason=FieldValueInvalid
type Outputs struct {
	// istio writes a RequestAuthentication with the public keys into namespaces, for the proxies of Istio. From then on, their workloads
	// answer 401 to tokens of issuers that no RequestAuthentication names. The controller needs the rights of config/istio, and
	// --istio.
	// +optional
	Istio *IstioOutput `json:"istio,omitempty"`
}

// IstioOutput says what RequestAuthentications accept, and which namespaces have one.
type IstioOutput struct {
	// issuer is the exact iss of the tokens. A SigningKey has none: it is that of the issuer that signs with it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="!self.matches('[[:cntrl:]]')",message="must not have control characters"
	// +required
	Issuer string `json:"issuer"`
	// audiences are accepted: aud has at least one of them.
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.all(a, !a.matches('[[:cntrl:]]'))",message="must not have control characters"
	// +required
	Audiences []string `json:"audiences"`
	// selector selects, of the namespaces that distribution.namespaceSelector selects, those that have a RequestAuthentication for all their
	// workloads. It cannot be empty: a namespace asks for it, by a label.
	// +kubebuilder:validation:XValidation:rule="(has(self.matchLabels) && self.matchLabels.size() > 0) || (has(self.matchExpressions) && self.matchExpressions.size() > 0)",message="must say which namespaces ask for it: matchLabels: {keywright.dev/istio: 'true'} would do",reason=FieldValueInvalid
	// +required
	Selector *metav1.LabelSelector `json:"selector"`
}

// ConditionIstioDistributed says whether every namespace that asks for a RequestAuthentication has it, with the current keys. It is absent
// unless outputs.istio is set, or one stands that nobody asks for.
const ConditionIstioDistributed = "IstioDistributed"

// The reasons of IstioDistributed, beside those of Distributed.
const (
	// ReasonIstioNotEnabled says that the controller was not told to write RequestAuthentications.
	ReasonIstioNotEnabled = "IstioNotEnabled"
	// ReasonIstioNotInstalled says that the API server does not know RequestAuthentications.
	ReasonIstioNotInstalled = "IstioNotInstalled"
	// ReasonIstioForbidden says that the controller may not read them.
	ReasonIstioForbidden = "IstioForbidden"
	// ReasonIstioUnreachable says that the API server did not say yet which there are.
	ReasonIstioUnreachable = "IstioUnreachable"
)
