package controllers

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/issuerca/issuercatest"
	"github.com/keywright/keywright/controllers/wiring"
)

const conditionCA = keywrightv1alpha1.ConditionCADistributed

// distributesCA is a change that sets caConfigMap of a SigningKey.
func distributesCA(k *keywrightv1alpha1.SigningKey) {
	k.Spec.Distribution.CAConfigMap = &keywrightv1alpha1.ConfigMapEntry{Name: "issuer-ca"}
}

// writeCA writes the source ConfigMap.
func (w *world) writeCA(text string) {
	w.Helper()
	cm := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.keys.KeyNamespace, Name: "issuer-ca", Labels: map[string]string{contract.RoleLabel: contract.RoleIssuerCA}},
		Data:       map[string]string{"ca.crt": text},
	}
	if w.Update(w.Context(), cm) == nil {
		return
	}
	w.must(w.Create(w.Context(), cm))
}

// ca returns the CA in the file of a namespace, "none" if there is no such file.
func (w *world) ca(namespace string) string {
	w.Helper()
	cm := w.configMap(namespace)
	if cm == nil {
		return "none"
	}
	text, has := cm.Data[w.name+".tls-ca.crt"]
	if !has {
		return "none"
	}
	return text
}

// wantCA checks that the files of every target and of the key namespace have exactly these certificates, in any order.
func (w *world) wantCA(all ...string) {
	w.Helper()
	for _, namespace := range append([]string{w.keys.KeyNamespace}, w.targets...) {
		text := w.ca(namespace)
		rest := text
		for _, one := range all {
			if !strings.Contains(rest, one) {
				w.Fatalf("the CA in %s lacks one of %d certificates:\n%s", namespace, len(all), text)
			}
			rest = strings.Replace(rest, one, "", 1)
		}
		if len(all) == 0 && text != "none" || len(all) > 0 && rest != "" {
			w.Fatalf("the CA in %s has more than %d certificates:\n%s", namespace, len(all), text)
		}
	}
}

func TestCAIsDistributedWithTheKeys(t *testing.T) {
	w := newWorld(t)
	first, _ := issuercatest.New(t, "first")
	second, _ := issuercatest.New(t, "second")
	w.writeCA("# of the issuer\n" + first)
	w.signingKey(distributesCA)
	w.settle()
	w.wantCA(first)
	w.want("the condition", w.condition(conditionCA), "True InSync")
	if text := w.message(conditionCA); !strings.Contains(text, "1 certificate from ConfigMap "+w.keys.KeyNamespace+"/issuer-ca") || !strings.Contains(text, "2036-01-02T03:04:05Z") {
		t.Errorf("it says %q", text)
	}
	w.namespace(w.name+"-late", map[string]string{"trusts": w.name})
	w.targets = append(w.targets, w.name+"-late")
	w.settle()
	w.wantCA(first)

	w.writeCA(second)
	w.settle()
	w.wantCA(first, second)
	w.want("the condition of an overlap", w.condition(conditionCA), "True InSync")
	if text := w.message(conditionCA); !strings.Contains(text, "1 that are no longer in the ConfigMap; the first of them is removed at 2026-03-01T12:11:00Z") {
		t.Errorf("it says %q", text)
	}
	w.step(11*time.Minute - time.Second)
	w.wantCA(first, second)
	w.restart()
	w.step(time.Second)
	w.wantCA(second)

	before := w.versions()
	w.step(time.Second)
	w.step(time.Second)
	w.want("what was written without a cause", w.versions(), before)

	w.change(func(k *keywrightv1alpha1.SigningKey) { k.Spec.Distribution.CAConfigMap = nil })
	w.settle()
	w.wantCA(second)
	w.want("the condition", w.condition(conditionCA), "none")
	w.step(11 * time.Minute)
	w.wantCA()
	if len(w.trusted(w.targets[0])) == 0 {
		t.Error("the keys are gone with it")
	}
}

// If the source is invalid, the CA stays, and a condition says what to do.
func TestBadCASourceChangesNothing(t *testing.T) {
	w := newWorld(t)
	good, key := issuercatest.New(t, "good")
	w.writeCA(good)
	w.signingKey(distributesCA)
	w.settle()
	get := func() *corev1.ConfigMap {
		cm := &corev1.ConfigMap{}
		w.must(w.Get(t.Context(), client.ObjectKey{Namespace: w.keys.KeyNamespace, Name: "issuer-ca"}, cm))
		return cm
	}
	var many string
	for range 17 {
		one, _ := issuercatest.New(t, "one of many")
		many += one
	}
	other, _ := issuercatest.New(t, "other")
	for _, c := range []struct {
		name, reason, says string
		spoil              func()
	}{
		{"a private key", "CAInvalid", "private key", func() { w.writeCA(good + key) }},
		{"nothing", "CAInvalid", "no certificate", func() { w.writeCA("") }},
		{"no certificate", "CAInvalid", "damaged", func() { w.writeCA(other[:len(other)/2]) }},
		{"too many", "CAInvalid", "17 certificates", func() { w.writeCA(many) }},
		{"too large", "CAInvalid", "bytes", func() { w.writeCA(other + strings.Repeat("#", 40_000)) }},
		{"no entry", "CANotFound", "no entry ca.crt", func() { cm := get(); cm.Data = map[string]string{"tls.crt": other}; w.must(w.Update(t.Context(), cm)) }},
		{"no label", "CANotFound", "keywright.dev/role=issuer-ca", func() { w.writeCA(other); cm := get(); cm.Labels = nil; w.must(w.Update(t.Context(), cm)) }},
		{"another label", "CANotFound", "keywright.dev/role=issuer-ca", func() {
			cm := get()
			cm.Labels = map[string]string{contract.RoleLabel: "keyring"}
			w.must(w.Update(t.Context(), cm))
		}},
		{"no ConfigMap", "CANotFound", "does not exist", func() { w.must(w.Delete(t.Context(), get())) }},
	} {
		c.spoil()
		w.step(15 * time.Minute)
		w.step(15 * time.Minute)
		w.wantCA(good)
		w.want(c.name, w.condition(conditionCA), "False "+c.reason)
		if text := w.message(conditionCA); !strings.Contains(text, c.says) || strings.Contains(text, "MI") {
			t.Errorf("%s: it says %q", c.name, text)
		}
		w.want("Ready", w.ready(), "True Signing")
	}
	w.change(func(k *keywrightv1alpha1.SigningKey) { k.Spec.Distribution.CAConfigMap.Key = "root.pem" })
	w.writeCA(good)
	cm := get()
	cm.Data["root.pem"] = other
	w.must(w.Update(t.Context(), cm))
	w.settle()
	w.wantCA(good, other)
	w.want("another entry", w.condition(conditionCA), "True InSync")
}

// A client that writes the ConfigMap of a namespace cannot make its pods trust another CA.
func TestForgedCAIsReplaced(t *testing.T) {
	w := newWorld(t)
	good, _ := issuercatest.New(t, "good")
	forged, _ := issuercatest.New(t, "forged")
	w.writeCA(good)
	w.signingKey(distributesCA)
	w.settle()
	for name, change := range map[string]func(*corev1.ConfigMap){
		"forged":  func(cm *corev1.ConfigMap) { cm.Data[w.name+".tls-ca.crt"] = forged },
		"deleted": func(cm *corev1.ConfigMap) { delete(cm.Data, w.name+".tls-ca.crt") },
		"planted": func(cm *corev1.ConfigMap) { cm.Data["other.tls-ca.crt"] = forged },
	} {
		cm := w.configMap(w.targets[0])
		change(cm)
		w.must(w.Update(t.Context(), cm))
		w.reconcileKey()
		if name != "planted" {
			w.want("the condition of one that is "+name, w.condition(conditionCA), "False TargetsBehind")
		}
		w.settle()
		w.wantCA(good)
		w.want("the condition", w.condition(conditionCA), "True InSync")
		if _, stands := w.configMap(w.targets[0]).Data["other.tls-ca.crt"]; stands {
			t.Error("one that was planted stays")
		}
	}
	if !strings.Contains(w.events.text(), w.name+".tls-ca.crt") || !strings.Contains(w.events.text(), "other.tls-ca.crt") {
		t.Errorf("nobody is told:\n%s", w.events.text())
	}
}

// While there is no usable keyring, the CA stays, and another client cannot replace it.
func TestFrozenKeyringKeepsTheCA(t *testing.T) {
	w := newWorld(t)
	good, _ := issuercatest.New(t, "good")
	other, _ := issuercatest.New(t, "other")
	w.writeCA(good)
	w.signingKey(distributesCA)
	w.settle()
	keyring := w.secret(contract.KeyringSuffix)
	sound := keyring.Data
	keyring.Data = map[string][]byte{contract.KeyringFile: []byte("x")}
	w.must(w.Update(t.Context(), keyring))
	w.writeCA(other)
	w.restart()
	w.settle()
	w.want("Ready", w.ready(), "False KeyringInvalid")
	w.want("the condition", w.condition(conditionCA), "False KeyringInvalid")
	w.wantCA(good)
	cm := w.configMap(w.targets[0])
	cm.Data[w.name+".tls-ca.crt"] = other
	w.must(w.Update(t.Context(), cm))
	w.settle()
	w.want("one that was forged meanwhile", w.ca(w.targets[0]), "none")
	keyring = w.secret(contract.KeyringSuffix)
	keyring.Data = sound
	w.must(w.Update(t.Context(), keyring))
	w.settle()
	w.wantCA(good, other)
}

// If the keyring is lost, the CA stays, even if the source cannot be read.
func TestRebuiltKeyringKeepsTheCA(t *testing.T) {
	w := newWorld(t)
	good, _ := issuercatest.New(t, "good")
	w.writeCA(good)
	w.signingKey(distributesCA)
	w.settle()
	w.writeCA("")
	w.must(w.Delete(t.Context(), w.secret(contract.KeyringSuffix)))
	w.restart()
	w.settle()
	w.wantCA(good)
	w.want("the condition", w.condition(conditionCA), "False CAInvalid")
	w.writeCA(good)
	w.settle()
	w.wantCA(good)
	w.want("the condition", w.condition(conditionCA), "True InSync")
	if n := len(w.keyring().CA); n != 1 {
		t.Errorf("the keyring has %d certificates", n)
	}
}

// The CA leaves the files together with the keys, after a deselection and after a deletion.
func TestCAIsRemovedFromADeselectedNamespace(t *testing.T) {
	for _, policy := range []keywrightv1alpha1.DeletionPolicy{keywrightv1alpha1.Retain, keywrightv1alpha1.Drain, keywrightv1alpha1.Delete} {
		t.Run(string(policy), func(t *testing.T) {
			w := newWorld(t)
			good, _ := issuercatest.New(t, "good")
			w.writeCA(good)
			key := w.signingKey(distributesCA, func(k *keywrightv1alpha1.SigningKey) { k.Spec.DeletionPolicy = policy })
			w.settle()
			left := w.targets[1]
			w.label(left, nil)
			w.settle()
			w.wantCA(good)
			w.step(10*time.Minute + 10*time.Minute + time.Minute + time.Second)
			w.want("the CA of a namespace that is deselected", w.ca(left), "none")
			w.targets = w.targets[:1]
			w.wantCA(good)
			w.must(w.Delete(t.Context(), key))
			w.settle()
			switch policy {
			case keywrightv1alpha1.Retain, keywrightv1alpha1.Drain:
				w.wantCA(good)
			default:
				w.wantCA()
			}
			for range 4 {
				w.step(30 * time.Minute)
			}
			if policy == keywrightv1alpha1.Retain {
				w.wantCA(good)
				return
			}
			w.wantCA()
			if keySet := w.configMap(w.targets[0]).Data[w.name+".json"]; !issuerfiles.TrustsNobody(keySet) {
				t.Errorf("the key set is %s", keySet)
			}
		})
	}
}

// A separate watch of the source queues the SigningKeys that name it.
func TestCAWakesItsSigningKeys(t *testing.T) {
	w := newWorld(t)
	w.signingKey(distributesCA)
	if len(w.keys.Sources()) != 2 {
		t.Fatal("nobody watches the source")
	}
	_, err := w.keys.Reconcile(t.Context(), wiring.Named(w.name))
	w.must(err)
	w.want("the condition", w.condition(conditionCA), "False CANotFound")
}
