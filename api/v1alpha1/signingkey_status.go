package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// The condition types of a SigningKey.
const (
	// ConditionReady is True while a key signs and its Secrets are up to date.
	ConditionReady = "Ready"
	// ConditionDistributed is True while every target holds the current keys.
	ConditionDistributed = "Distributed"
	// ConditionRotationOnTime is False while a due rotation is delayed.
	ConditionRotationOnTime = "RotationOnTime"
	// ConditionGatewayEntry reports whether the entry jwks of every selected namespace has the key set of this object. It
	// is absent unless distribution.gatewayEntry is set.
	ConditionGatewayEntry = "GatewayEntry"
	// ConditionCADistributed reports whether every target holds the CA certificates of distribution.caConfigMap. It is
	// absent unless that is set.
	ConditionCADistributed = "CADistributed"
	// ConditionStalled is True while only an admin can solve the problem, and absent otherwise. kstatus, Flux and Argo CD
	// then report a failure.
	ConditionStalled = "Stalled"
)

// The reasons of the conditions.
const (
	ReasonPending          = "Pending"
	ReasonSigning          = "Signing"
	ReasonStarting         = "Starting"
	ReasonDraining         = "Draining"
	ReasonDeleting         = "Deleting"
	ReasonKeyRevoked       = "KeyRevoked"
	ReasonWriteRefused     = "WriteRefused"
	ReasonKeyringRestored  = "KeyringRestored"
	ReasonKeyringInvalid   = "KeyringInvalid"
	ReasonKeysLost         = "KeysLost"
	ReasonKeyTypeDiffers   = "KeyTypeDiffers"
	ReasonInSync           = "InSync"
	ReasonNoTargets        = "NoTargets"
	ReasonTargetsBehind    = "TargetsBehind"
	ReasonInvalidSelector  = "InvalidSelector"
	ReasonOnTime           = "OnTime"
	ReasonManualRotation   = "ManualRotation"
	ReasonNotPublished     = "NotPublished"
	ReasonPropagationDelay = "WaitingForPropagation"
	ReasonNotSigning       = "NotSigning"
	ReasonTooManyKeys      = "TooManyKeys"
	ReasonEntryWritten     = "EntryWritten"
	ReasonEntryTaken       = "EntryTaken"
)

// The reasons of ConditionCADistributed, besides InSync and TargetsBehind. With each, the distributed certificates
// stay.
const (
	// ReasonCANotFound means that the ConfigMap, its label or its entry is missing.
	ReasonCANotFound = "CANotFound"
	// ReasonCAInvalid means that the entry has other content than CA certificates, or too many of them.
	ReasonCAInvalid = "CAInvalid"
	// ReasonCAWaiting means that the files are full of certificates that were removed from the ConfigMap. Its current ones
	// are written when these have left the files.
	ReasonCAWaiting = "CAWaiting"
)

// ReasonControllerStopped is the reason of Ready when no controller runs because its release was uninstalled.
const ReasonControllerStopped = "ControllerStopped"

// SigningKeyStatus is what the controller reports. The controller makes no decision from it, and writes it again if it
// is lost.
type SigningKeyStatus struct {
	// observedGeneration is the metadata.generation that this status was made from.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready, Distributed and RotationOnTime, and Stalled while only an admin can solve the problem.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// activeKeyID is the kid of the key that signs.
	// +optional
	ActiveKeyID string `json:"activeKeyID,omitempty"`
	// nextRotationTime is when the next rotation is due. It is not set in the mode Manual unless a rotation is requested.
	// +optional
	NextRotationTime *metav1.Time `json:"nextRotationTime,omitempty"`
	// keyringGeneration is the generation of the keyring, raised by every change of the keys.
	// +optional
	KeyringGeneration int64 `json:"keyringGeneration,omitempty"`
	// keys are the published keys, in the order in which they were prepared.
	// +listType=map
	// +listMapKey=keyID
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Keys []KeyStatus `json:"keys,omitempty"`
	// targets has the number of namespaces, by state.
	// +optional
	Targets TargetsStatus `json:"targets,omitzero"`
	// revocations are the revoked keys, at most the newest 256.
	// +listType=map
	// +listMapKey=keyID
	// +kubebuilder:validation:MaxItems=256
	// +optional
	Revocations []KeyRevocationStatus `json:"revocations,omitempty"`
	// handledRotateRequest is the value of the annotation keywright.dev/rotate-requested-at of the last completed request.
	// +optional
	HandledRotateRequest *metav1.Time `json:"handledRotateRequest,omitempty"`
}

// KeyStatus is one key and its times.
type KeyStatus struct {
	// keyID is the kid, an RFC 7638 thumbprint.
	// +kubebuilder:validation:MaxLength=43
	KeyID string `json:"keyID"`
	// algorithm is the JWS algorithm of the key.
	Algorithm Algorithm `json:"algorithm"`
	// state is Standby, Active or Retired.
	// +kubebuilder:validation:Enum=Standby;Active;Retired
	State string `json:"state"`
	// preparedAt is when the key was generated.
	// +optional
	PreparedAt *metav1.Time `json:"preparedAt,omitempty"`
	// publishedAt is when every target with files held the key.
	// +optional
	PublishedAt *metav1.Time `json:"publishedAt,omitempty"`
	// activatedAt is when the key was activated.
	// +optional
	ActivatedAt *metav1.Time `json:"activatedAt,omitempty"`
	// retiredAt is when the key was retired.
	// +optional
	RetiredAt *metav1.Time `json:"retiredAt,omitempty"`
	// removalTime is when the key will be removed from the files. It is not set while the time is not known.
	// +optional
	RemovalTime *metav1.Time `json:"removalTime,omitempty"`
	// knownEverywhereAt is set for a key that signs before it was published for the propagation delay: the first key, or a
	// Standby that a revocation activated early. Until then, some verifiers may not have it.
	// +optional
	KnownEverywhereAt *metav1.Time `json:"knownEverywhereAt,omitempty"`
}

// TargetsStatus has the number of namespaces, by state.
type TargetsStatus struct {
	// selected is the number of namespaces that the selector selects.
	Selected int32 `json:"selected"`
	// inSync is the number of them that hold the current keys.
	InSync int32 `json:"inSync"`
	// kept is the number of namespaces that are no longer selected and keep their file for a while.
	Kept int32 `json:"kept"`
	// summary is inSync/selected, for people.
	// +optional
	Summary string `json:"summary,omitempty"`
	// behind names up to ten namespaces that do not hold the current keys.
	// +listType=set
	// +kubebuilder:validation:MaxItems=10
	// +optional
	Behind []string `json:"behind,omitempty"`
	// leftBehind names up to ten namespaces for which rotations no longer wait, because they lacked a key for
	// rotation.waitForTargets. Rotations wait for them again once they have held the current keys for the propagation
	// delay.
	// +listType=set
	// +kubebuilder:validation:MaxItems=10
	// +optional
	LeftBehind []string `json:"leftBehind,omitempty"`
}

// KeyRevocationStatus is the receipt of a revocation: each completed step, with its time. The Kubernetes API does not
// report whether a pod has read a file, so the receipt does not either.
type KeyRevocationStatus struct {
	// keyID is the kid.
	// +kubebuilder:validation:MaxLength=43
	KeyID string `json:"keyID"`
	// revokedAt is when the controller recorded the revocation. After that, it writes no file with the key.
	RevokedAt metav1.Time `json:"revokedAt"`
	// known is false if the keyring had no such key. The key ID is remembered in any case.
	Known bool `json:"known"`
	// signingMovedAt is when the signing-key Secret was seen with another signing key. It is set only if the revoked key
	// was Active.
	// +optional
	SigningMovedAt *metav1.Time `json:"signingMovedAt,omitempty"`
	// removedAt is when the signing-key Secret and the ConfigMaps of all namespaces were seen without the key.
	// +optional
	RemovedAt *metav1.Time `json:"removedAt,omitempty"`
	// nudgedAt is when the last running pod was nudged, so that its kubelet renews the files at once: pods of the issuer,
	// and also pods of the targets if the controller runs with --nudge-pods.
	// +optional
	NudgedAt *metav1.Time `json:"nudgedAt,omitempty"`
	// podsLeft is the number of pods that are not nudged yet. It is not set when all are nudged.
	// +optional
	PodsLeft *int32 `json:"podsLeft,omitempty"`
	// expectedEverywhereBy is when the files of all running pods should be without the key. It is not set before
	// removedAt.
	// +optional
	ExpectedEverywhereBy *metav1.Time `json:"expectedEverywhereBy,omitempty"`
	// terminating names up to ten namespaces that are being deleted and whose file can no longer be written. Pods there
	// may have the key until they terminate. While there are any, expectedEverywhereBy is not set.
	// +listType=set
	// +kubebuilder:validation:MaxItems=10
	// +optional
	Terminating []string `json:"terminating,omitempty"`
	// problem describes which step of the revocation failed, and why. It is empty if there is no problem.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Problem string `json:"problem,omitempty"`
}
