// Package rotated makes the fixtures of the tests with foreign software: keys that go through a real rotation, the files
// that pods mount, and tokens.
//
// Nothing is imitated that the product has: rotation.Plan decides, the keyring writes the key set, the issuer's own
// snapshot signs, and the volume is swapped as a kubelet does it. Only the API server between them is left out, and the
// clock of the rotation runs ahead, so that a month of it takes a moment; tokens bear the time of day.
package rotated

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/rotation"
	"github.com/keywright/keywright/issuer/keys"
	"github.com/keywright/keywright/issuer/token"
)

// What every example of the documentation expects.
const (
	Issuer   = "https://issuer.example.com"
	Audience = "https://orders.example.com"
	Subject  = "alice"
)

// World is a SigningKey, its issuer, and a pod that mounts the key set.
type World struct {
	t      *testing.T
	policy rotation.Policy
	ring   rotation.Keyring
	now    time.Time // of the rotation
	issuer *keys.Snapshot
	Volume *Volume
	issued int
	ended  issuerfiles.Revoked
}

// New returns a world whose first key signs and whose next one is published.
func New(t *testing.T, algorithm string) *World {
	t.Helper()
	spec := rotation.KeySpec{Algorithm: algorithm}
	if spec.Type() == "RSA" {
		spec.RSAKeySize = 2048
	}
	w := &World{t: t, now: time.Now(), Volume: newVolume(t), policy: rotation.Policy{
		KeySpec: spec, Interval: 24 * time.Hour, MaxLifetime: time.Hour, ClockSkew: time.Minute, PropagationDelay: 15 * time.Minute,
	}}
	w.settle()
	w.pass(time.Hour)
	return w
}

// Rotate lets time pass until the next key signs, and returns the kid of the one that did.
func (w *World) Rotate() (retired string) {
	w.t.Helper()
	before := w.KeyID()
	for range 200 {
		if w.pass(15 * time.Minute); w.KeyID() != before {
			return before
		}
	}
	w.t.Fatal("no rotation")
	return ""
}

// Forget lets time pass until a retired key has left the set.
func (w *World) Forget(kid string) {
	w.t.Helper()
	for range 200 {
		if w.pass(15 * time.Minute); !contains(w.ring.PublishedIDs(), kid) {
			return
		}
	}
	w.t.Fatalf("key %s stays", kid)
}

// Revoke takes a key away at once, as spec.revokedKeyIDs does.
func (w *World) Revoke(kid string) {
	w.t.Helper()
	w.policy.Revoked = append(w.policy.Revoked, kid)
	w.pass(time.Second)
	if contains(w.ring.PublishedIDs(), kid) {
		w.t.Fatalf("key %s is revoked and published", kid)
	}
}

// End ends the tokens with a value that were issued up to a time, as a Revocation does.
func (w *World) End(claim, value string, before time.Time) {
	w.t.Helper()
	w.ended = w.ended.With(issuerfiles.Digest(claim, value), before)
	w.ended.ClockSkew = w.policy.ClockSkew
	w.Volume.list = w.ended.Encode()
	w.Volume.Write(w.JWKS())
}

// KeyID is the kid that signs.
func (w *World) KeyID() string { return w.issuer.KeyID }

// JWKS is the key set as it is in the ConfigMap.
func (w *World) JWKS() []byte {
	var keys []issuerfiles.PublicKey
	for _, k := range w.ring.PublishedKeys() {
		keys = append(keys, issuerfiles.PublicKey{ID: k.ID, JWK: k.Public})
	}
	return issuerfiles.EncodeKeySet(w.policy.Algorithm, keys)
}

// pass moves the clock of the rotation and plans until there is nothing left to do.
func (w *World) pass(by time.Duration) {
	w.t.Helper()
	w.now = w.now.Add(by)
	w.settle()
}

func (w *World) settle() {
	w.t.Helper()
	for range 10 {
		decision := rotation.Plan(w.now, w.policy, w.ring, rotation.Observed{At: w.now, Secret: w.secret()})
		if decision.Wanted != nil {
			decision.Prepare(w.now, generate(w.t, *decision.Wanted))
		}
		same := decision.Next.Equal(w.ring)
		if w.ring = decision.Next; same {
			break
		}
	}
	w.project()
}

// secret is what the controller reads of the signing-key Secret: what project wrote.
func (w *World) secret() rotation.Secret {
	s := rotation.Secret{Present: true, ID: "1", Generation: w.ring.Generation, Published: w.ring.PublishedIDs()}
	if active := w.ring.Active(); active != nil {
		s.ActiveID = active.ID
	}
	return s
}

// Delete takes all trust away, as the controller does when the SigningKey is deleted with the policy Delete: a tombstone alone is left.
func (w *World) Delete() {
	w.t.Helper()
	w.policy.Deleting = true
	w.settle()
	if file := string(w.JWKS()); !issuerfiles.TrustsNobody(file) {
		w.t.Fatalf("the file still holds keys: %s", file)
	}
	w.Volume.Write(w.JWKS())
}

// project writes the key set into the volume and gives the issuer its files.
func (w *World) project() {
	w.t.Helper()
	active := w.ring.Active()
	if active == nil {
		return
	}
	var err error
	w.issuer, err = keys.Parse(issuerfiles.Files{
		Active: issuerfiles.PrivateJWK(active.Private), KeySet: w.JWKS(),
		Policy: issuerfiles.Policy{SigningKey: "main", Algorithm: active.Algorithm, MaxLifetime: time.Hour},
	}, issuerfiles.Revoked{})
	check(w.t, err)
	w.Volume.Write(w.JWKS())
}

// Token returns a token that the issuer signs now, with its claims changed by edit.
func (w *World) Token(edit ...func(*token.Claims)) string {
	w.t.Helper()
	w.issued++
	claims := token.Claims{
		Issuer: Issuer, Subject: Subject, Audience: []string{Audience}, ClientID: "web", Scopes: []string{"orders:read"},
		ID: fmt.Sprintf("id-%d", w.issued), IssuedAt: time.Now(), Lifetime: 10 * time.Minute,
	}
	for _, change := range edit {
		change(&claims)
	}
	payload, err := claims.Marshal()
	check(w.t, err)
	signed, err := w.issuer.Sign(payload)
	check(w.t, err)
	return signed
}

// Forged returns a token under the kid that signs, made by somebody else with a key of the same type.
func (w *World) Forged() string {
	w.t.Helper()
	return w.signedBy(newPrivateKey(w.t, w.policy.KeySpec), keys.TokenType)
}

// Typed returns a token of another typ, signed by the key that signs.
func (w *World) Typed(typ string) string {
	w.t.Helper()
	var active jose.JSONWebKey
	check(w.t, active.UnmarshalJSON(w.ring.Active().Private))
	return w.signedBy(active.Key, typ)
}

// signedBy returns a good token but for its key or its type.
func (w *World) signedBy(private any, typ string) string {
	w.t.Helper()
	key := jose.SigningKey{Algorithm: jose.SignatureAlgorithm(w.policy.Algorithm), Key: jose.JSONWebKey{Key: private, KeyID: w.KeyID()}}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	check(w.t, err)
	payload, err := base64.RawURLEncoding.DecodeString(segments(w.Token())[1])
	check(w.t, err)
	signed, err := signer.Sign(payload)
	check(w.t, err)
	compact, err := signed.CompactSerialize()
	check(w.t, err)
	return compact
}

// generate makes a key as the controller does.
func generate(t *testing.T, spec rotation.KeySpec) rotation.Material {
	t.Helper()
	jwk := jose.JSONWebKey{Key: newPrivateKey(t, spec), Algorithm: spec.Algorithm, Use: "sig"}
	thumbprint, err := jwk.Thumbprint(crypto.SHA256)
	check(t, err)
	jwk.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	public, err := jwk.Public().MarshalJSON()
	check(t, err)
	private, err := jwk.MarshalJSON()
	check(t, err)
	return rotation.Material{ID: jwk.KeyID, Public: public, Private: private}
}

func newPrivateKey(t *testing.T, spec rotation.KeySpec) any {
	t.Helper()
	var private any
	var err error
	switch spec.Type() {
	case "EC":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "OKP":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		private, err = rsa.GenerateKey(rand.Reader, spec.RSAKeySize)
	}
	check(t, err)
	return private
}
