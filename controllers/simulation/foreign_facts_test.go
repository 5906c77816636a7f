package simulation

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	jose "github.com/go-jose/go-jose/v4"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/fetched"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/rotation"
)

// thumbprints returns the RFC 7638 thumbprints of the keys of a set, regardless of their kids.
func (f *foreign) thumbprints(set string) []string {
	if known, ok := f.prints[set]; ok {
		return known
	}
	var keys struct {
		Keys []json.RawMessage `json:"keys"`
	}
	_ = json.Unmarshal([]byte(set), &keys)
	var all []string
	for _, raw := range keys.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) != nil {
			continue
		}
		digest, err := k.Thumbprint(crypto.SHA256)
		must(err)
		all = append(all, base64.RawURLEncoding.EncodeToString(digest))
	}
	f.prints[set] = all
	return all
}

// trustedChanged records a change of a TrustedIssuer.
func (f *foreign) trustedChanged(c change) {
	o := f.issuers[c.ref.name]
	if c.new == nil {
		o.entombed = true
		return
	}
	ti := c.new.(*keywrightv1alpha1.TrustedIssuer)
	f.w.mustNotHoldPrivateJSON("a TrustedIssuer", ti.Status)
	if c.old == nil {
		o.entombed, o.offered = false, map[string]bool{}
		f.offer(o, ti.Spec.Keys.Inline)
	}
}

func (f *foreign) offer(o *otherIssuer, set string) {
	for _, p := range f.thumbprints(set) {
		o.offered[p] = true
	}
	o.entombed = o.entombed || strings.Contains(set, "tombstone") || issuerfiles.TrustsNobody(set)
}

// namespaceChanged records which namespaces are selected.
func (f *foreign) namespaceChanged(c change) {
	switch {
	case f == nil:
	case c.new == nil:
		delete(f.labelled, c.ref.name)
	case c.old == nil || c.old.GetLabels()["verify"] != c.new.GetLabels()["verify"]:
		f.labelled[c.ref.name] = f.w.now
	}
}

// fetchedChanged records what the fetcher, or an attacker, wrote for the controller.
func (f *foreign) fetchedChanged(c change) {
	cm, ok := c.new.(*corev1.ConfigMap)
	if !ok {
		return
	}
	for _, name := range otherNames() {
		e, err := fetched.Decode(cm.Data[name+fetched.Suffix])
		ti, stands := f.w.store.objects[ref{kindTrusted, "", name}].(*keywrightv1alpha1.TrustedIssuer)
		if err == nil && stands && e.UID == string(ti.UID) {
			f.offer(f.issuers[name], string(e.KeySet))
		}
	}
}

// checkFiles asserts that a ConfigMap of a controller has no key in the file of another issuer, and has not lost a
// trusted file.
func (f *foreign) checkFiles(namespace string, old, cm *corev1.ConfigMap) {
	before := map[string]string{}
	if old != nil {
		before = old.Data
	}
	if gateway, has := cm.Data[contract.GatewayFile]; has && !issuerfiles.TrustsNobody(gateway) {
		same := false
		for file, content := range cm.Data {
			same = same || file != contract.GatewayFile && content == gateway
		}
		if !same {
			f.w.violate("the gateway entry of %s is no file", namespace)
		}
	}
	for file, content := range cm.Data {
		name, ok := strings.CutSuffix(file, contract.JWKSSuffix)
		if !ok || content == before[file] || issuerfiles.TrustsNobody(content) {
			continue
		}
		if name == signingKey && f.signingKeyHasName() {
			for _, p := range f.thumbprints(content) {
				if f.made[p] {
					f.w.violate("invariant 11: a key of another issuer, %s, is in the file of the SigningKey in %s", p, namespace)
				}
			}
		}
		o, is := f.issuers[name]
		if !is || name == signingKey {
			continue
		}
		for _, p := range f.thumbprints(content) {
			if !o.offered[p] {
				f.w.violate("invariant 11: nobody handed %s over for %s, which has it in %s", p, name, namespace)
			}
			if f.isOurs(p) {
				f.w.violate("invariant 11: %s, a key of the SigningKey, is in the file of %s in %s", p, name, namespace)
			}
		}
	}
	for _, name := range otherNames()[:2] {
		f.checkTrust(namespace, name, before[name+contract.JWKSSuffix], cm)
	}
}

// signingKeyHasName reports whether a SigningKey has existed for long enough that every process has seen it, so that no
// TrustedIssuer has its name.
func (f *foreign) signingKeyHasName() bool {
	key := f.w.key()
	return key != nil && f.w.now.After(key.CreationTimestamp.Add(f.w.lag)) || f.w.secret(keyringRef) != nil && f.w.secret(secretRef) != nil
}

// isOurs reports whether a key is published or revoked by the SigningKey.
func (f *foreign) isOurs(thumbprint string) bool {
	ring := &f.w.facts.ring
	return slices.Contains(ring.PublishedIDs(), thumbprint) || slices.ContainsFunc(ring.Revoked, func(r rotation.Revocation) bool { return r.ID == thumbprint })
}

// checkTrust asserts that an existing TrustedIssuer loses no file.
func (f *foreign) checkTrust(namespace, name, before string, cm *corev1.ConfigMap) {
	ti, stands := f.w.store.objects[ref{kindTrusted, "", name}].(*keywrightv1alpha1.TrustedIssuer)
	ns := f.w.store.objects[ref{kindNamespace, "", namespace}]
	if !stands || ns == nil || f.issuers[name].entombed || before == "" || issuerfiles.TrustsNobody(before) || !f.offeredAll(name, before) {
		return
	}
	long := f.w.now.Add(-f.w.lag)
	if ns.GetLabels()["verify"] != "yes" || !f.labelled[namespace].Before(long) || !ti.CreationTimestamp.Time.Before(long) {
		return
	}
	if content := cm.Data[name+contract.JWKSSuffix]; content == "" || issuerfiles.TrustsNobody(content) {
		f.w.violate("a controller takes the trust in %s away in %s, which stands and is selected", name, namespace)
	}
}

// offeredAll reports whether all keys of a file were fetched. Others were added by users.
func (f *foreign) offeredAll(name, content string) bool {
	return !slices.ContainsFunc(f.thumbprints(content), func(p string) bool { return !f.issuers[name].offered[p] })
}

// checkSettled asserts that every namespace trusts exactly the current keys of each issuer.
func (f *foreign) checkSettled() {
	if f == nil || f.w.wrong != "" {
		return
	}
	for _, name := range otherNames()[:2] {
		o := f.issuers[name]
		ti, stands := f.w.store.objects[ref{kindTrusted, "", name}].(*keywrightv1alpha1.TrustedIssuer)
		want := []string{}
		switch {
		case stands && ti.Spec.Keys.Inline != "":
			want = append(want, f.thumbprints(ti.Spec.Keys.Inline)...)
		case stands:
			want = append(want, f.thumbprints(o.set())...)
		}
		slices.Sort(want)
		for _, ns := range f.w.store.list(kindNamespace, "") {
			cm := f.w.configMap(ns.GetName())
			selected := ns.GetLabels()["verify"] == "yes"
			if ns.GetDeletionTimestamp() != nil || stands && !selected || !stands && cm == nil {
				continue
			}
			content := ""
			if cm != nil {
				content = cm.Data[name+contract.JWKSSuffix]
			}
			got := []string{}
			if !issuerfiles.TrustsNobody(content) {
				got = append(got, f.thumbprints(content)...)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				f.w.violate("at rest %s holds %v of %s, which has %v", ns.GetName(), got, name, want)
			}
		}
		if stands {
			c := conditionOf(ti, keywrightv1alpha1.ConditionReady)
			if c == nil || c.Status != metav1.ConditionTrue || c.ObservedGeneration != ti.Generation {
				f.w.violate("at rest TrustedIssuer %s is %+v", name, c)
			}
		}
	}
}

func conditionOf(ti *keywrightv1alpha1.TrustedIssuer, kind string) *metav1.Condition {
	for i := range ti.Status.Conditions {
		if ti.Status.Conditions[i].Type == kind {
			return &ti.Status.Conditions[i]
		}
	}
	return nil
}
