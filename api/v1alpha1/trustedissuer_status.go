package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// The condition types of a TrustedIssuer, beside Ready, Distributed and Stalled.
const (
	// ConditionFetched is True while the last answer of the issuer could be used.
	ConditionFetched = "Fetched"
	// ConditionStale is True while the last good answer is older than maxStaleness, and absent otherwise.
	ConditionStale = "Stale"
)

// The reasons of the conditions of a TrustedIssuer, beside those of a SigningKey.
const (
	// ReasonTrusted says that the keys are distributed.
	ReasonTrusted = "Trusted"
	// ReasonFetched says that the last answer could be used.
	ReasonFetched = "Fetched"
	// ReasonInline says that the keys are in the spec.
	ReasonInline = "Inline"
	// ReasonNotFetched says that the fetcher has not answered yet.
	ReasonNotFetched = "NotFetched"
	// ReasonFetchFailed says that the last answer could not be used. The keys of the last good one stay.
	ReasonFetchFailed = "FetchFailed"
	// ReasonNoUsableKey says that no key of the issuer can be used. What was distributed stays.
	ReasonNoUsableKey = "NoUsableKey"
	// ReasonNameTaken says that a SigningKey has this name, or that its Secrets are still there.
	ReasonNameTaken = "NameTaken"
	// ReasonTooOld says that the last good answer is older than maxStaleness.
	ReasonTooOld = "TooOld"
)

// TrustedIssuerStatus is what the controller reports.
type TrustedIssuerStatus struct {
	// observedGeneration is the metadata.generation that this status was made from.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready, Fetched and Distributed; Stale while the keys are too old, and Stalled while only an admin can help.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// keyCount is the number of keys that are distributed.
	// +optional
	KeyCount int32 `json:"keyCount,omitempty"`
	// keys are those that are distributed.
	// +listType=map
	// +listMapKey=keyID
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Keys []TrustedKeyStatus `json:"keys,omitempty"`
	// leftOut are keys that the issuer publishes and that are not distributed, the first 20 of them.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +optional
	LeftOut []LeftOutKeyStatus `json:"leftOut,omitempty"`
	// lastFetchTime is when a good answer of the issuer was recorded last. An answer that changes nothing is recorded once per quarter of
	// maxStaleness, and at least once per hour.
	// +optional
	LastFetchTime *metav1.Time `json:"lastFetchTime,omitempty"`
	// targets counts the namespaces.
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
	// firstSeenTime is when the fetcher first saw it.
	// +optional
	FirstSeenTime *metav1.Time `json:"firstSeenTime,omitempty"`
}

// LeftOutKeyStatus is one key that is not distributed.
type LeftOutKeyStatus struct {
	// keyID is the kid, if it has one.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	KeyID string `json:"keyID,omitempty"`
	// reason says why.
	// +kubebuilder:validation:MaxLength=512
	// +required
	Reason string `json:"reason"`
}
