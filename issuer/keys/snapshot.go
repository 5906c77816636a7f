package keys

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
)

// Snapshot is one state of the signing-key Secret. It never changes: kid, algorithm and signer belong together.
type Snapshot struct {
	// SigningKey is the name of the SigningKey.
	SigningKey string
	// KeyID is that of the key that signs, empty while none does.
	KeyID string
	// Algorithm is what tokens are signed with.
	Algorithm string
	// MaxLifetime bounds exp - iat of every token.
	MaxLifetime time.Duration
	// NextRotation is when the key is due to be replaced, zero if that is not planned.
	NextRotation time.Time
	// JWKS are the public keys (RFC 7517 section 5), and ETag a strong validator of them (RFC 9110 section 8.8.3).
	JWKS []byte
	ETag string
	// Revoked is the revocation list: which keys must not sign, and whose tokens ended early.
	Revoked issuerfiles.Revoked
	// Sealing are the keys of refresh tokens, and the two lifetimes bound a refresh token and a session. All are zero without sessions.
	Sealing                                issuerfiles.SealingKeys
	MaxRefreshLifetime, MaxSessionLifetime time.Duration
	// ClockSkew is by how much the clocks of issuers and verifiers may differ.
	ClockSkew time.Duration
	// Stopped is why no key signs, empty while one does.
	Stopped string

	signer *signer
}

// Signs reports whether there is a key to sign with.
func (s *Snapshot) Signs() bool { return s.signer != nil }

// stop returns a snapshot that serves the same keys, and signs nothing.
func (s *Snapshot) stop(why string) *Snapshot {
	stopped := *s
	stopped.signer, stopped.KeyID, stopped.Stopped = nil, "", why
	return &stopped
}

// with returns a snapshot with another revocation list.
func (s *Snapshot) with(list issuerfiles.Revoked) *Snapshot {
	other := *s
	other.Revoked = list
	return &other
}

// without returns a snapshot that does not serve the given keys.
func (s *Snapshot) without(revoked []string) *Snapshot {
	clean := *s
	clean.JWKS, _ = issuerfiles.Without(s.JWKS, revoked)
	clean.ETag = etag(clean.JWKS)
	return &clean
}

func etag(jwks []byte) string {
	digest := sha256.Sum256(jwks)
	return `"` + base64.RawURLEncoding.EncodeToString(digest[:]) + `"`
}

// Sign returns a payload as a JWS in compact form (RFC 7515 section 7.1).
func (s *Snapshot) Sign(payload []byte) (string, error) {
	compact, err := s.signer.sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign with key %s: %w", s.KeyID, err)
	}
	return compact, nil
}

// Parse checks the files of a signing-key Secret. also is revoked, too. No error quotes a file.
func Parse(files issuerfiles.Files, also issuerfiles.Revoked) (*Snapshot, error) {
	list := files.Revoked.Union(also)
	revoked := list.KeyIDs
	keySet, _ := issuerfiles.Without(files.KeySet, revoked)
	public, err := parseJWKS(keySet)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", contract.JWKSFile, err)
	}
	s := &Snapshot{
		SigningKey: files.Policy.SigningKey, Algorithm: files.Policy.Algorithm, MaxLifetime: files.Policy.MaxLifetime,
		NextRotation: files.Policy.NextRotation, Revoked: list, ClockSkew: files.Policy.ClockSkew,
	}
	if _, ok := files.Sealing.InUse(); ok {
		s.Sealing, s.MaxRefreshLifetime, s.MaxSessionLifetime = files.Sealing, files.Policy.MaxRefreshLifetime, files.Policy.MaxSessionLifetime
	}
	if s.JWKS, err = json.Marshal(public); err != nil {
		return nil, fmt.Errorf("%s: encode it again: %w", contract.JWKSFile, err)
	}
	s.ETag = etag(s.JWKS)
	kid := issuerfiles.KeyID(files.Active)
	switch {
	case len(files.Active) == 0:
		return s.stop("the Secret has no active.jwk: the SigningKey starts, drains or is deleted, or its key was revoked. Its condition Ready says which"), nil
	case slices.Contains(revoked, kid):
		return s.stop("key " + kid + " is revoked"), nil
	}
	if err := s.arm(files.Active, public); err != nil {
		return nil, fmt.Errorf("%s: %w", contract.ActiveFile, err)
	}
	return s, nil
}

// parseJWKS reads the public keys. What it returns holds nothing but them, whatever else the file had.
func parseJWKS(b []byte) (*jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(b, &set); err != nil {
		return nil, errors.New("not a JWKS")
	}
	seen := map[string]bool{}
	for _, k := range set.Keys {
		switch {
		case !k.Valid() || !k.IsPublic():
			return nil, fmt.Errorf("key %q is not a public key", k.KeyID)
		case k.KeyID == "" || k.Algorithm == "" || k.Use != "sig":
			return nil, fmt.Errorf("key %q needs kid, alg and use sig", k.KeyID)
		case seen[k.KeyID]:
			return nil, fmt.Errorf("two keys are called %q", k.KeyID)
		}
		seen[k.KeyID] = true
	}
	return &set, nil
}

// arm takes the key that signs, which must be the one that the policy and the public keys say it is.
func (s *Snapshot) arm(active []byte, public *jose.JSONWebKeySet) error {
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(active); err != nil || !key.Valid() || key.IsPublic() {
		return errors.New("not a private key")
	}
	if key.Algorithm != s.Algorithm {
		return fmt.Errorf("its alg is %q, and the policy says %q", key.Algorithm, s.Algorithm)
	}
	id, err := thumbprint(&key)
	if err != nil || id != key.KeyID {
		return fmt.Errorf("its kid %q is not its thumbprint (RFC 7638)", key.KeyID)
	}
	published := public.Key(key.KeyID)
	if len(published) != 1 || published[0].Algorithm != key.Algorithm {
		return fmt.Errorf("key %s is not among the public keys", key.KeyID)
	}
	if id, err := thumbprint(&published[0]); err != nil || id != key.KeyID {
		return fmt.Errorf("the public key %s is another key", key.KeyID)
	}
	if s.signer, err = newSigner(&key); err != nil {
		return fmt.Errorf("key %s cannot sign: %w", key.KeyID, err)
	}
	s.KeyID = key.KeyID
	return s.tryOut(&published[0])
}

// tryOut signs once and verifies with the public half, so that a key that does not work never signs a token.
func (s *Snapshot) tryOut(public *jose.JSONWebKey) error {
	compact, err := s.Sign([]byte("{}"))
	if err != nil {
		return err
	}
	signed, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(s.Algorithm)})
	if err != nil {
		return err
	}
	if _, err := signed.Verify(public); err != nil {
		return fmt.Errorf("key %s does not match its public half", s.KeyID)
	}
	return nil
}

func thumbprint(key *jose.JSONWebKey) (string, error) {
	digest, err := key.Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(digest), err
}
