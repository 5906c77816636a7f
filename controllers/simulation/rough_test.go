package simulation

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/rotation"
)

// roughDeeds are actions that break objects of the controller.
func (u *users) roughDeeds() []deed {
	return []deed{
		{name: "delete a ConfigMap", do: u.deleteFile},
		{name: "strip the Standby", do: u.stripStandby},
		{name: "strip the Standby", do: u.stripStandby},
		{name: "plant a key", do: u.plantKey},
		{name: "forge the generation of a file", do: u.forgeFile},
		{name: "make a ConfigMap immutable", do: u.freezeFile},
		{name: "plant a tombstone", do: u.plantTombstone},
		{name: "delete the keyring", do: u.deleteKeyring},
		{name: "garble the keyring", do: u.garbleKeyring},
		{name: "restore the keyring", do: u.restoreKeyring},
		{name: "make the keyring immutable", do: u.freezeKeyring},
		{name: "delete the Secret", do: u.deleteSecret},
		{name: "garble the Secret", do: u.garbleSecret},
		{name: "forge the generation of the Secret", do: u.forgeSecret},
		{name: "make the Secret immutable", do: u.freezeSecret},
	}
}

// someFile returns the ConfigMap of a random namespace, nil if it has none.
func (u *users) someFile() *corev1.ConfigMap {
	all := u.w.store.list(kindNamespace, "")
	cm := u.w.configMap(all[u.rnd.IntN(len(all))].GetName())
	if cm == nil {
		return nil
	}
	return cm.DeepCopy()
}

func (u *users) write(cm *corev1.ConfigMap) {
	_, err := u.w.store.update(cm, false)
	u.w.log("users: write %s: %s", refOf(cm), short(err))
}

func (u *users) deleteFile() {
	if cm := u.someFile(); cm != nil {
		_ = u.w.store.delete(refOf(cm), nil)
	}
}

func (u *users) stripStandby() {
	cm, s := u.someFile(), u.w.facts.ring.Standby()
	if cm == nil || s == nil {
		return
	}
	clean, changed := issuerfiles.Without([]byte(cm.Data[signingKey+contract.JWKSSuffix]), []string{s.ID})
	if changed && !issuerfiles.TrustsNobody(string(clean)) {
		cm.Data[signingKey+contract.JWKSSuffix] = string(clean)
		u.write(cm)
	}
}

// plantKey adds a key of an attacker to a file.
func (u *users) plantKey() {
	cm := u.someFile()
	if cm == nil || cm.Data == nil {
		return
	}
	m, err := makeKey("ES256", fmt.Sprint("planted ", u.rnd.Uint64()))
	must(err)
	cm.Data[signingKey+contract.JWKSSuffix] = string(issuerfiles.EncodeKeySet("ES256", []issuerfiles.PublicKey{{ID: m.ID, JWK: m.Public}}))
	cm.Data["planted"+contract.JWKSSuffix] = cm.Data[signingKey+contract.JWKSSuffix]
	u.write(cm)
}

func (u *users) forgeFile() {
	if cm := u.someFile(); cm != nil && cm.Annotations != nil {
		cm.Annotations[contract.ProjectionsAnnotation] = fmt.Sprintf(`{%q:{"generation":%d,"writes":1,"digest":""}}`, signingKey, 100_000+u.rnd.IntN(10))
		if u.rnd.IntN(2) == 0 {
			cm.Annotations[contract.ProjectionsAnnotation] = "garbled"
		}
		u.write(cm)
	}
}

func (u *users) freezeFile() {
	if cm := u.someFile(); cm != nil {
		cm.Immutable = new(true)
		u.write(cm)
	}
}

func (u *users) plantTombstone() {
	if cm := u.someFile(); cm != nil && cm.Data != nil {
		cm.Data[signingKey+contract.JWKSSuffix] = string(issuerfiles.Tombstone("ES256"))
		u.write(cm)
	}
}

// whole reports whether both Secrets exist and belong together, since users break only one at a time.
func (u *users) whole() (keyring, secret *corev1.Secret) {
	k, s := u.w.secret(keyringRef), u.w.secret(secretRef)
	if k == nil || s == nil {
		return nil, nil
	}
	ring, err := rotation.Decode(k.Data[contract.KeyringFile])
	if err != nil || generationOf(s) != ring.Generation {
		return nil, nil
	}
	for i := range ring.Revoked {
		if !slices.Contains(u.w.facts.inSecretList(), ring.Revoked[i].ID) {
			return nil, nil // without both, the revocation would be lost
		}
	}
	for _, kid := range u.w.facts.inSecretList() {
		if !slices.ContainsFunc(ring.Revoked, func(r rotation.Revocation) bool { return r.ID == kid }) {
			return nil, nil // the keyring cannot be written, and only the Secret has a revocation
		}
	}
	if _, err := issuerfiles.Decode(s.Data); err != nil {
		return nil, nil
	}
	return k.DeepCopy(), s.DeepCopy()
}

func (u *users) replace(s *corev1.Secret) {
	_, err := u.w.store.update(s, false)
	u.w.log("users: write %s: %s", refOf(s), short(err))
}

func (u *users) deleteKeyring() {
	if k, _ := u.whole(); k != nil {
		_ = u.w.store.delete(keyringRef, nil)
	}
}

func (u *users) garbleKeyring() {
	if k, _ := u.whole(); k != nil {
		k.Data[contract.KeyringFile] = []byte("garbled")
		u.replace(k)
	}
}

func (u *users) backUp() {
	if k, _ := u.whole(); k != nil {
		u.backups = append(u.backups, k)
	}
}

// restoreKeyring replaces the keyring by an older one.
func (u *users) restoreKeyring() {
	k, _ := u.whole()
	if k == nil || len(u.backups) == 0 {
		return
	}
	b := u.backups[u.rnd.IntN(len(u.backups))]
	if b.UID != k.UID {
		return // of a deleted SigningKey
	}
	k.Data = b.DeepCopy().Data
	u.replace(k)
}

func (u *users) freezeKeyring() {
	if k, _ := u.whole(); k != nil {
		k.Immutable = new(true)
		u.replace(k)
	}
}

func (u *users) deleteSecret() {
	if k, _ := u.whole(); k != nil {
		_ = u.w.store.delete(secretRef, nil)
	}
}

func (u *users) garbleSecret() {
	_, s := u.whole()
	if s == nil {
		return
	}
	switch u.rnd.IntN(3) {
	case 0:
		s.Data[contract.PolicyFile] = []byte("garbled")
	case 1:
		delete(s.Data, contract.ActiveFile)
	case 2:
		s.Data[contract.JWKSFile] = []byte(`{"keys":[]}`)
	}
	u.replace(s)
}

func (u *users) forgeSecret() {
	if _, s := u.whole(); s != nil {
		s.Annotations[contract.GenerationAnnotation] = fmt.Sprint(1000 + u.rnd.IntN(10))
		u.replace(s)
	}
}

func (u *users) freezeSecret() {
	if _, s := u.whole(); s != nil {
		s.Immutable = new(true)
		u.replace(s)
	}
}
