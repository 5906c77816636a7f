package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Revocation revokes a key, a token, a session, or all tokens that were issued before a time: those of a user, of a
// client, or of the SigningKey. Its status is the receipt. Deleting it restores nothing.
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
	// spec is what is revoked. It cannot be changed: create another Revocation instead.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec cannot be changed: create another Revocation",reason=FieldValueForbidden
	// +required
	Spec RevocationSpec `json:"spec"`
	// status is what the controller reports. The controller does not rely on it.
	// +kubebuilder:default={conditions: {{type: "Ready", status: "Unknown", reason: "Pending", message: "no controller has reconciled this Revocation yet", lastTransitionTime: "1970-01-01T00:00:00Z"}}}
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

// RevocationSpec specifies what is revoked.
//
// +kubebuilder:validation:XValidation:rule="[has(self.keyID), has(self.tokenID), has(self.sessionID), has(self.subject), has(self.clientID), has(self.everything)].filter(x, x).size() == 1",message="set exactly one of keyID, tokenID, sessionID, subject, clientID and everything",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="has(self.issuedBefore) == (has(self.subject) || has(self.clientID) || has(self.everything))",message="issuedBefore is required with subject, clientID and everything, and not allowed otherwise: set it to the current time, like 2026-11-26T12:00:00Z",reason=FieldValueInvalid,fieldPath=".issuedBefore"
// +kubebuilder:validation:XValidation:rule="!has(self.keepSessions) || has(self.keyID)",message="keepSessions is for keyID only: leave it out",reason=FieldValueForbidden,fieldPath=".keepSessions"
// +kubebuilder:validation:XValidation:rule="!has(self.ttlAfterExpiry) || !has(self.keyID)",message="a Revocation of a key is never deleted: leave ttlAfterExpiry out",reason=FieldValueForbidden,fieldPath=".ttlAfterExpiry"
type RevocationSpec struct {
	// signingKey is the name of the SigningKey that the revocation applies to.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	// +required
	SigningKey string `json:"signingKey"`
	// keyID is the kid of a key. All of its tokens are rejected.
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]{43}$`
	// +kubebuilder:validation:MaxLength=43
	// +optional
	KeyID string `json:"keyID,omitempty"`
	// keepSessions keeps the sessions of the revoked key. By default they end, since an attacker who had the private key
	// may also have the keys that seal refresh tokens.
	// +optional
	KeepSessions bool `json:"keepSessions,omitempty"`
	// tokenID is the jti of one token.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="!self.matches('[[:cntrl:]]')",message="must not have control characters"
	// +optional
	TokenID string `json:"tokenID,omitempty"`
	// sessionID is the sid of a session. All of its tokens are rejected, and its refresh token.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="!self.matches('[[:cntrl:]]')",message="must not have control characters"
	// +optional
	SessionID string `json:"sessionID,omitempty"`
	// subject is the sub of a user or client. Its tokens that were issued before issuedBefore are rejected.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="!self.matches('[[:cntrl:]]')",message="must not have control characters"
	// +optional
	Subject string `json:"subject,omitempty"`
	// clientID is the client_id of a client. Tokens that were issued to it before issuedBefore are rejected, whatever
	// their subject.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="!self.matches('[[:cntrl:]]')",message="must not have control characters"
	// +optional
	ClientID string `json:"clientID,omitempty"`
	// everything revokes all tokens of the SigningKey that were issued before issuedBefore. Its keys stay trusted.
	// +kubebuilder:validation:XValidation:rule="self",message="must be true: set another field to revoke less",reason=FieldValueInvalid
	// +optional
	Everything bool `json:"everything,omitempty"`
	// issuedBefore is compared with the auth_time of a token, or with its iat if it has none. Tokens that were issued
	// within the clockSkew after it are rejected, too. It must not be in the future. kubectl keywright revoke sets it to
	// the current time.
	// +optional
	IssuedBefore *metav1.Time `json:"issuedBefore,omitempty"`
	// nudge makes kubelets renew the files of the issuer's pods at once. If the controller runs with --nudge-pods
	// (controller.nudgeAllPods in the chart), it includes the pods of all namespaces. Kubelets of other pods take up to 90
	// seconds. The revocation of a key always nudges.
	// +optional
	Nudge bool `json:"nudge,omitempty"`
	// reason is a note for people. It is in no event, log or file.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	Reason string `json:"reason,omitempty"`
	// ttlAfterExpiry is how long this object stays after all tokens that it names have expired, like 24h. By default, the
	// object is not deleted.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(h|m|s|ms))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) <= duration('87600h')",message="must be at most 87600h, for example 24h",reason=FieldValueInvalid
	// +optional
	TTLAfterExpiry *metav1.Duration `json:"ttlAfterExpiry,omitempty"`
}

// The reasons of the conditions of a Revocation, besides those of a SigningKey.
const (
	// ReasonRemoved means that the files of all namespaces contain the revocation.
	ReasonRemoved = "Removed"
	// ReasonRemoving means that the files are being written.
	ReasonRemoving = "Removing"
	// ReasonExpired means that all tokens that it names have expired, and the entry was removed.
	ReasonExpired = "Expired"
	// ReasonFull means that the revocation list of the SigningKey is full.
	ReasonFull = "Full"
	// ReasonInFuture means that issuedBefore is in the future.
	ReasonInFuture = "IssuedBeforeInFuture"
	// ReasonNoSigningKey means that the SigningKey does not exist.
	ReasonNoSigningKey = "NoSigningKey"
	// ReasonUnknownKey means that the SigningKey has no such key. The key ID is remembered in any case.
	ReasonUnknownKey = "UnknownKey"
)

// RevocationStatus is the receipt of a Revocation: each completed step, with its time. The Kubernetes API does not
// report whether a pod has read a file, so the receipt does not either.
type RevocationStatus struct {
	// observedGeneration is the metadata.generation that this status was made from.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready, and Stalled while only an admin can solve the problem.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=4
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// revokedAt is when the controller recorded the Revocation. Every file that it writes after that has the Revocation.
	// +optional
	RevokedAt *metav1.Time `json:"revokedAt,omitempty"`
	// removedAt is when the signing-key Secret and the ConfigMaps of all namespaces were seen with the Revocation.
	// +optional
	RemovedAt *metav1.Time `json:"removedAt,omitempty"`
	// nudgedAt is when the last running pod was nudged, so that its kubelet renews the files at once. It is set for keys,
	// and with nudge: true.
	// +optional
	NudgedAt *metav1.Time `json:"nudgedAt,omitempty"`
	// expectedEverywhereBy is when the files of all running pods should have the Revocation. It is not set before
	// removedAt.
	// +optional
	ExpectedEverywhereBy *metav1.Time `json:"expectedEverywhereBy,omitempty"`
	// expiresAt is when all tokens that the Revocation names have expired, and its entry is removed. It is not set for
	// keys, which are remembered permanently.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
}
