package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Revocation ends trust early: in a key, in one token, in a session, or in all tokens that a user or a client got before a time.
// It is a request, and its status is the receipt. Deleting it brings nothing back.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=keywright
// +kubebuilder:printcolumn:name="Signing key",type=string,JSONPath=`.spec.signingKey`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Removed",type=date,JSONPath=`.status.removedAt`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.status.expiresAt`
// +kubebuilder:printcolumn:name="Issued before",type=string,priority=1,JSONPath=`.spec.issuedBefore`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Revocation struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is what must not be trusted any more. It cannot be changed: make another Revocation.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec cannot be changed: create another Revocation",reason=FieldValueForbidden
	// +required
	Spec RevocationSpec `json:"spec"`
	// status is what the controller reports. It is never read back.
	// +kubebuilder:default={conditions: {{type: "Ready", status: "Unknown", reason: "Pending", message: "no controller has looked at this Revocation yet", lastTransitionTime: "1970-01-01T00:00:00Z"}}}
	// +optional
	Status RevocationStatus `json:"status,omitzero"`
}

// RevocationList is a list of Revocations.
//
// +kubebuilder:object:root=true
type RevocationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Revocation `json:"items"`
}

// RevocationSpec names what must not be trusted any more.
//
// +kubebuilder:validation:XValidation:rule="[has(self.keyID), has(self.tokenID), has(self.sessionID), has(self.subject), has(self.clientID), has(self.everything)].filter(x, x).size() == 1",message="name exactly one of keyID, tokenID, sessionID, subject, clientID and everything",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="has(self.issuedBefore) == (has(self.subject) || has(self.clientID) || has(self.everything))",message="issuedBefore is needed with subject, clientID and everything, and is not for the others: the current time as 2026-11-26T12:00:00Z would do",reason=FieldValueInvalid,fieldPath=".issuedBefore"
// +kubebuilder:validation:XValidation:rule="!has(self.keepSessions) || has(self.keyID)",message="keepSessions is for keyID only: leave it out",reason=FieldValueForbidden,fieldPath=".keepSessions"
// +kubebuilder:validation:XValidation:rule="!has(self.ttlAfterExpiry) || !has(self.keyID)",message="a Revocation of a key is never deleted: leave ttlAfterExpiry out",reason=FieldValueForbidden,fieldPath=".ttlAfterExpiry"
type RevocationSpec struct {
	// signingKey is the name of the SigningKey whose tokens are meant.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	// +required
	SigningKey string `json:"signingKey"`
	// keyID is the kid of a key that must not be trusted from now on. All of its tokens are rejected.
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]{43}$`
	// +kubebuilder:validation:MaxLength=43
	// +optional
	KeyID string `json:"keyID,omitempty"`
	// keepSessions leaves the sessions of the revoked key alive. Whoever had the private key may also have had the keys that
	// seal refresh tokens, so they are replaced otherwise.
	// +optional
	KeepSessions bool `json:"keepSessions,omitempty"`
	// tokenID is the jti of one token.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="!self.matches('[[:cntrl:]]')",message="must not have control characters"
	// +optional
	TokenID string `json:"tokenID,omitempty"`
	// sessionID is the sid of a session: all of its tokens, and its refresh token.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="!self.matches('[[:cntrl:]]')",message="must not have control characters"
	// +optional
	SessionID string `json:"sessionID,omitempty"`
	// subject is the sub of a user, or of anyone else who got tokens: those issued before issuedBefore are meant.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="!self.matches('[[:cntrl:]]')",message="must not have control characters"
	// +optional
	Subject string `json:"subject,omitempty"`
	// clientID is the client_id of a client: tokens issued to it before issuedBefore are meant, whoever they speak for.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="!self.matches('[[:cntrl:]]')",message="must not have control characters"
	// +optional
	ClientID string `json:"clientID,omitempty"`
	// everything is all tokens of the SigningKey that were issued before issuedBefore. Its keys stay.
	// +kubebuilder:validation:XValidation:rule="self",message="must be true: name something else to end less",reason=FieldValueInvalid
	// +optional
	Everything bool `json:"everything,omitempty"`
	// issuedBefore is the time up to which tokens are meant: by their auth_time, or by their iat if they have none. It must not be
	// in the future. kubectl keywright revoke fills in the current time. Tokens issued up to the clockSkew after it are meant too.
	// +optional
	IssuedBefore *metav1.Time `json:"issuedBefore,omitempty"`
	// nudge makes kubelets renew the files at once, as the revocation of a key does: those of the issuer's pods, and of all pods if the
	// controller runs with --nudge-pods. Without it they take up to 90 seconds.
	// +optional
	Nudge bool `json:"nudge,omitempty"`
	// reason says why, for people. It is in no event, log or file.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	Reason string `json:"reason,omitempty"`
	// ttlAfterExpiry is how long this object stays once nothing that it names can be valid any more, like 24h. Without it the
	// object stays until somebody deletes it.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(h|m|s|ms))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) <= duration('87600h')",message="must be at most 87600h: 24h would do",reason=FieldValueInvalid
	// +optional
	TTLAfterExpiry *metav1.Duration `json:"ttlAfterExpiry,omitempty"`
}

// The reasons of the conditions of a Revocation, beside those of a SigningKey.
const (
	// ReasonRemoved says that no file of any namespace makes anybody trust what is named.
	ReasonRemoved = "Removed"
	// ReasonRemoving says that the files are being written.
	ReasonRemoving = "Removing"
	// ReasonExpired says that nothing which is named can be valid any more, and the entry was dropped.
	ReasonExpired = "Expired"
	// ReasonFull says that the list of the SigningKey has no place left.
	ReasonFull = "Full"
	// ReasonInFuture says that issuedBefore is in the future.
	ReasonInFuture = "IssuedBeforeInFuture"
	// ReasonNoSigningKey says that there is no SigningKey of this name.
	ReasonNoSigningKey = "NoSigningKey"
	// ReasonUnknownKey says that the SigningKey has no such key. It is remembered all the same.
	ReasonUnknownKey = "UnknownKey"
)

// RevocationStatus is the receipt of a Revocation: what was done, and when. No signal of the API tells that a pod has read a file,
// and the receipt does not pretend one.
type RevocationStatus struct {
	// observedGeneration is the metadata.generation that this status was made from.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready, and Stalled while only an admin can help.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=4
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// revokedAt is when the controller recorded the Revocation. From then on no file is written without it.
	// +optional
	RevokedAt *metav1.Time `json:"revokedAt,omitempty"`
	// removedAt is when the Secret of the issuers and the ConfigMaps of all namespaces were seen to have it.
	// +optional
	RemovedAt *metav1.Time `json:"removedAt,omitempty"`
	// nudgedAt is when the last running pod was touched to make its kubelet renew the files at once. It is set for keys, and with
	// nudge: true.
	// +optional
	NudgedAt *metav1.Time `json:"nudgedAt,omitempty"`
	// expectedEverywhereBy is until when the files of all running pods are bound to have it. It is not set before removedAt.
	// +optional
	ExpectedEverywhereBy *metav1.Time `json:"expectedEverywhereBy,omitempty"`
	// expiresAt is when no token that is named can be valid any more, and the entry is dropped. It is not set for keys, which are
	// remembered for ever.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
}
