package health

import (
	"strings"

	"github.com/keywright/keywright/api/v1alpha1"
)

// row is a SigningKey, and what tools should say of it.
type row struct {
	name string
	// conditions are written "Type=Status Reason".
	conditions           []string
	generation, observed int64 // observed is 0 for a status that does not say
	deleted              bool
	kstatus, argo        string
}

// The words of both, in pairs.
const (
	current, healthy       = "Current", "Healthy"
	inProgress, progresses = "InProgress", "Progressing"
	failed, degraded       = "Failed", "Degraded"
	terminating            = "Terminating"
)

// table has a row for each reason of each condition.
func table() []row {
	rows := []row{
		{name: "new", conditions: []string{"Ready=Unknown Pending"}, generation: 1, kstatus: inProgress, argo: progresses},
		{name: "changed", conditions: []string{"Ready=True Signing"}, generation: 2, observed: 1, kstatus: inProgress, argo: progresses},
		{name: "changed in trouble", conditions: []string{"Ready=False KeysLost", "Stalled=True KeysLost"}, generation: 2, observed: 1, kstatus: inProgress, argo: progresses},
		{name: "deleted", conditions: []string{"Ready=True Signing"}, generation: 2, observed: 2, deleted: true, kstatus: terminating, argo: progresses},
		{name: "deleted in trouble", conditions: []string{"Ready=False WriteRefused", "Stalled=True WriteRefused"}, generation: 2, observed: 2, deleted: true, kstatus: terminating, argo: progresses},
	}
	// A reason of Ready alone: well, or on its way.
	for reason, is := range map[string]string{
		v1alpha1.ReasonSigning: "True", v1alpha1.ReasonStarting: "False", v1alpha1.ReasonKeyRevoked: "False", v1alpha1.ReasonDraining: "False",
		v1alpha1.ReasonDeleting: "False", v1alpha1.ReasonPending: "Unknown", v1alpha1.ReasonControllerStopped: "Unknown",
		// Of a Revocation, which has the same conditions.
		v1alpha1.ReasonRemoved: "True", v1alpha1.ReasonExpired: "True", v1alpha1.ReasonUnknownKey: "True", v1alpha1.ReasonRemoving: "False",
		// Of a TrustedIssuer.
		v1alpha1.ReasonTrusted: "True", v1alpha1.ReasonNotFetched: "False", v1alpha1.ReasonNoUsableKey: "False",
	} {
		r := row{name: reason, conditions: []string{"Ready=" + is + " " + reason, "Distributed=True InSync"}, generation: 1, observed: 1, kstatus: inProgress, argo: progresses}
		if is == "True" {
			r.kstatus, r.argo = current, healthy
		}
		rows = append(rows, r)
	}
	// Trouble, in which only an admin can help.
	for _, reason := range []string{
		v1alpha1.ReasonKeyringRestored, v1alpha1.ReasonKeyringInvalid, v1alpha1.ReasonKeysLost, v1alpha1.ReasonKeyTypeDiffers, v1alpha1.ReasonWriteRefused,
		v1alpha1.ReasonFull, v1alpha1.ReasonInFuture, v1alpha1.ReasonNoSigningKey, // of a Revocation
		v1alpha1.ReasonNameTaken, // of a TrustedIssuer
	} {
		rows = append(rows, row{
			name: reason, conditions: []string{"Ready=False " + reason, "Distributed=False " + reason, "RotationOnTime=False " + reason, "Stalled=True " + reason},
			generation: 1, observed: 1, kstatus: failed, argo: degraded,
		})
	}
	// What Distributed and RotationOnTime say holds up nobody.
	for condition, reasons := range map[string]string{
		"Distributed=True":       v1alpha1.ReasonInSync + " " + v1alpha1.ReasonNoTargets,
		"Distributed=False":      v1alpha1.ReasonTargetsBehind + " " + v1alpha1.ReasonInvalidSelector,
		"Fetched=True":           v1alpha1.ReasonFetched + " " + v1alpha1.ReasonInline,
		"GatewayEntry=True":      v1alpha1.ReasonEntryWritten,
		"GatewayEntry=False":     v1alpha1.ReasonEntryTaken,
		"IstioDistributed=True":  v1alpha1.ReasonInSync + " " + v1alpha1.ReasonNoTargets,
		"IstioDistributed=False": strings.Join([]string{v1alpha1.ReasonTargetsBehind, v1alpha1.ReasonInvalidSelector, v1alpha1.ReasonIstioNotEnabled, v1alpha1.ReasonIstioNotInstalled, v1alpha1.ReasonIstioForbidden, v1alpha1.ReasonIstioUnreachable}, " "),
		"CADistributed=False":    strings.Join([]string{v1alpha1.ReasonCANotFound, v1alpha1.ReasonCAInvalid, v1alpha1.ReasonCAWaiting}, " "),
		"Fetched=False":          v1alpha1.ReasonFetchFailed,
		"Stale=True":             v1alpha1.ReasonTooOld,
		"RotationOnTime=True":    v1alpha1.ReasonOnTime + " " + v1alpha1.ReasonManualRotation,
		"RotationOnTime=False":   strings.Join([]string{v1alpha1.ReasonNotPublished, v1alpha1.ReasonPropagationDelay, v1alpha1.ReasonNotSigning, v1alpha1.ReasonTooManyKeys}, " "),
	} {
		for reason := range strings.FieldsSeq(reasons) {
			rows = append(rows, row{
				name: reason, conditions: []string{condition + " " + reason, "Ready=True Signing"}, generation: 3, observed: 3, kstatus: current, argo: healthy,
			})
		}
	}
	return rows
}
