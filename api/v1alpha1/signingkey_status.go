package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// The condition types of a SigningKey.
const (
	// ConditionReady is True while a key signs and its Secrets are as they should be.
	ConditionReady = "Ready"
	// ConditionDistributed is True while every target holds the current keys.
	ConditionDistributed = "Distributed"
	// ConditionRotationOnTime is False while a rotation is due and held up.
	ConditionRotationOnTime = "RotationOnTime"
	// ConditionGatewayEntry says whether the entry jwks is that of this object wherever it is selected. It is absent unless
	// distribution.gatewayEntry is set.
	ConditionGatewayEntry = "GatewayEntry"
	// ConditionStalled is True while only an admin can help, and absent otherwise: what kstatus, Flux and Argo CD call failed.
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

// ReasonControllerStopped says of Ready that no controller works: its release was uninstalled.
const ReasonControllerStopped = "ControllerStopped"

// SigningKeyStatus is what the controller reports. Nothing is decided by it: a status that was lost is written again.
type SigningKeyStatus struct {
	// observedGeneration is the metadata.generation that this status was made from.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready, Distributed and RotationOnTime, and Stalled while only an admin can help.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// activeKeyID is the kid of the key that signs.
	// +optional
	ActiveKeyID string `json:"activeKeyID,omitempty"`
	// nextRotationTime is when the next rotation is due. It is not set in the Manual mode while nothing is requested.
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
	// targets counts the namespaces.
	// +optional
	Targets TargetsStatus `json:"targets,omitzero"`
	// revocations are the keys that were revoked, the newest 256 of them.
	// +listType=map
	// +listMapKey=keyID
	// +kubebuilder:validation:MaxItems=256
	// +optional
	Revocations []KeyRevocationStatus `json:"revocations,omitempty"`
	// handledRotateRequest is the value of the annotation keywright.dev/rotate-requested-at that was carried out last.
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
	// preparedAt is when the key was made.
	// +optional
	PreparedAt *metav1.Time `json:"preparedAt,omitempty"`
	// publishedAt is since when every target that has files holds the key.
	// +optional
	PublishedAt *metav1.Time `json:"publishedAt,omitempty"`
	// activatedAt is when the key began to sign.
	// +optional
	ActivatedAt *metav1.Time `json:"activatedAt,omitempty"`
	// retiredAt is when the key ceased to sign.
	// +optional
	RetiredAt *metav1.Time `json:"retiredAt,omitempty"`
	// removalTime is when the key leaves the published set. It is not set while that cannot be said.
	// +optional
	RemovalTime *metav1.Time `json:"removalTime,omitempty"`
	// knownEverywhereAt is set on a key that signs although it was not published for the propagation delay, the first key
	// or one that a revocation promoted: until then some verifiers may not know it.
	// +optional
	KnownEverywhereAt *metav1.Time `json:"knownEverywhereAt,omitempty"`
}

// TargetsStatus counts the namespaces.
type TargetsStatus struct {
	// selected is the number of namespaces that the selector selects.
	Selected int32 `json:"selected"`
	// inSync is how many of them hold the current keys.
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
	// leftBehind names up to ten namespaces for which rotations no longer wait: they refused a key, or lost it again and again,
	// for rotation.waitForTargets. They are awaited again once they have held the current keys for the propagation delay.
	// +listType=set
	// +kubebuilder:validation:MaxItems=10
	// +optional
	LeftBehind []string `json:"leftBehind,omitempty"`
}

// KeyRevocationStatus is the receipt of one revocation: what was done about the key, and when. No signal of the API tells that
// a pod has read a file, and the receipt does not pretend one.
type KeyRevocationStatus struct {
	// keyID is the kid.
	// +kubebuilder:validation:MaxLength=43
	KeyID string `json:"keyID"`
	// revokedAt is when the controller took the revocation up. From then on no file is written with the key.
	RevokedAt metav1.Time `json:"revokedAt"`
	// known is false when the keyring held no such key. It is remembered all the same.
	Known bool `json:"known"`
	// signingMovedAt is when the Secret of the issuers was seen to hold another key to sign with. It is set only if the
	// revoked key signed.
	// +optional
	SigningMovedAt *metav1.Time `json:"signingMovedAt,omitempty"`
	// removedAt is when the Secret of the issuers and the ConfigMaps of all namespaces were seen to be without the key.
	// +optional
	RemovedAt *metav1.Time `json:"removedAt,omitempty"`
	// nudgedAt is when the last running pod was touched to make its kubelet renew the files at once: the pods of the issuer,
	// and those of the targets if the controller runs with --nudge-pods.
	// +optional
	NudgedAt *metav1.Time `json:"nudgedAt,omitempty"`
	// podsLeft is how many pods still wait to be touched. It is not set when that is done.
	// +optional
	PodsLeft *int32 `json:"podsLeft,omitempty"`
	// expectedEverywhereBy is until when the files of all running pods are bound to be without the key. It is not set before
	// removedAt.
	// +optional
	ExpectedEverywhereBy *metav1.Time `json:"expectedEverywhereBy,omitempty"`
	// terminating names up to ten namespaces that are being deleted and whose pods may have the key until they end: their file
	// can no longer be written. While there are any, expectedEverywhereBy is not set.
	// +listType=set
	// +kubebuilder:validation:MaxItems=10
	// +optional
	Terminating []string `json:"terminating,omitempty"`
	// problem says what could not be done about the key, and why. It is empty when nothing is in the way.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Problem string `json:"problem,omitempty"`
}
