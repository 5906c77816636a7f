package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Outputs are other forms of the public keys.
//
// +kubebuilder:validation:XValidation:rule="has(self.istio)",message="set an output, like istio, or omit outputs",reason=FieldValueInvalid
type Outputs struct {
	// istio writes a RequestAuthentication with the public keys into namespaces, for the proxies of Istio. Workloads there
	// then respond with 401 to tokens of issuers that no RequestAuthentication names. The controller needs the permissions
	// of config/istio, and --istio.
	// +optional
	Istio *IstioOutput `json:"istio,omitempty"`
}

// IstioOutput specifies what RequestAuthentications accept, and which namespaces have one.
type IstioOutput struct {
	// issuer is the exact iss of the tokens, as configured in the issuer that signs with this SigningKey.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="!self.matches('[[:cntrl:]]')",message="must not have control characters"
	// +required
	Issuer string `json:"issuer"`
	// audiences are the accepted audiences: aud must have at least one of them.
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.all(a, !a.matches('[[:cntrl:]]'))",message="must not have control characters"
	// +required
	Audiences []string `json:"audiences"`
	// selector selects the namespaces, among those of distribution.namespaceSelector, that have a RequestAuthentication
	// for all their workloads. It cannot be empty.
	// +kubebuilder:validation:XValidation:rule="(has(self.matchLabels) && self.matchLabels.size() > 0) || (has(self.matchExpressions) && self.matchExpressions.size() > 0)",message="must select namespaces, for example matchLabels: {keywright.dev/istio: 'true'}",reason=FieldValueInvalid
	// +required
	Selector *metav1.LabelSelector `json:"selector"`
}

// ConditionIstioDistributed reports whether every namespace that outputs.istio selects has a RequestAuthentication with
// the current keys. It is absent unless outputs.istio is set, or a RequestAuthentication of an earlier setting is left.
const ConditionIstioDistributed = "IstioDistributed"

// The reasons of IstioDistributed, besides those of Distributed.
const (
	// ReasonIstioNotEnabled means that the controller runs without --istio.
	ReasonIstioNotEnabled = "IstioNotEnabled"
	// ReasonIstioNotInstalled means that the API server has no RequestAuthentications.
	ReasonIstioNotInstalled = "IstioNotInstalled"
	// ReasonIstioForbidden means that the controller is not allowed to read them.
	ReasonIstioForbidden = "IstioForbidden"
	// ReasonIstioUnreachable means that they have not been listed yet.
	ReasonIstioUnreachable = "IstioUnreachable"
)
