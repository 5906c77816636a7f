package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// The condition types of a TrustedIssuer, besides Ready, Distributed and Stalled.
const (
	// ConditionFetched is True while the last response of the issuer is valid.
	ConditionFetched = "Fetched"
	// ConditionStale is True while the last valid response is older than maxStaleness, and absent otherwise.
	ConditionStale = "Stale"
)

// The reasons of the conditions of a TrustedIssuer, besides those of a SigningKey.
const (
	// ReasonTrusted means that the keys are distributed.
	ReasonTrusted = "Trusted"
	// ReasonFetched means that the last response is valid.
	ReasonFetched = "Fetched"
	// ReasonInline means that the keys are in the spec.
	ReasonInline = "Inline"
	// ReasonNotFetched means that the fetcher has not fetched the keys yet.
	ReasonNotFetched = "NotFetched"
	// ReasonFetchFailed means that the last fetch failed. The keys of the last valid response stay in use.
	ReasonFetchFailed = "FetchFailed"
	// ReasonNoUsableKey means that no key of the issuer is usable. The keys that were distributed before stay.
	ReasonNoUsableKey = "NoUsableKey"
	// ReasonNameTaken means that a SigningKey has this name, or that its Secrets were retained.
	ReasonNameTaken = "NameTaken"
	// ReasonTooOld means that the last valid response is older than maxStaleness.
	ReasonTooOld = "TooOld"
)

// TrustedIssuerStatus is what the controller reports.
type TrustedIssuerStatus struct {
	// observedGeneration is the metadata.generation that this status was made from.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready, Fetched and Distributed; Stale while the keys are too old, and Stalled while only an admin can
	// solve the problem.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// keyCount is the number of keys that are distributed.
	// +optional
	KeyCount int32 `json:"keyCount,omitempty"`
	// keys are the distributed keys.
	// +listType=map
	// +listMapKey=keyID
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Keys []TrustedKeyStatus `json:"keys,omitempty"`
	// leftOut are keys that the issuer publishes but that are not distributed, at most 20.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +optional
	LeftOut []LeftOutKeyStatus `json:"leftOut,omitempty"`
	// lastFetchTime is when a valid response of the issuer was last recorded. A response that changes nothing is recorded
	// once per quarter of maxStaleness, and at least once per hour.
	// +optional
	LastFetchTime *metav1.Time `json:"lastFetchTime,omitempty"`
	// targets has the number of namespaces, by state.
	// +optional
	Targets TargetsStatus `json:"targets,omitzero"`
}

// TrustedKeyStatus is one key that is distributed.
type TrustedKeyStatus struct {
	// keyID is the kid.
	// +kubebuilder:validation:MaxLength=256
	// +required
	KeyID string `json:"keyID"`
	// algorithm is the alg that it is distributed with.
	// +required
	Algorithm Algorithm `json:"algorithm"`
	// firstSeenTime is when the fetcher first fetched it.
	// +optional
	FirstSeenTime *metav1.Time `json:"firstSeenTime,omitempty"`
}

// LeftOutKeyStatus is one key that is not distributed.
type LeftOutKeyStatus struct {
	// keyID is the kid, if it has one.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	KeyID string `json:"keyID,omitempty"`
	// reason is why the key is not distributed.
	// +kubebuilder:validation:MaxLength=512
	// +required
	Reason string `json:"reason"`
}
