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

// Snapshot is an immutable state of the signing-key Secret. Key ID, algorithm and signer always match.
type Snapshot struct {
	// SigningKey is the name of the SigningKey.
	SigningKey string
	// KeyID is the key ID of the signing key, "" if no key signs.
	KeyID string
	// Algorithm is the JWS algorithm of tokens.
	Algorithm string
	// MaxLifetime is the maximum exp - iat of tokens.
	MaxLifetime time.Duration
	// NextRotation is the planned time of the next rotation, or zero.
	NextRotation time.Time
	// JWKS is the public JWK Set (RFC 7517 section 5), and ETag its strong entity tag (RFC 9110 section 8.8.3).
	JWKS []byte
	ETag string
	// Revoked is the revocation list of keys and tokens.
	Revoked issuerfiles.Revoked
	// Sealing are the keys of refresh tokens. The two lifetimes limit refresh tokens and sessions. All are zero
	// without sessions.
	Sealing                                issuerfiles.SealingKeys
	MaxRefreshLifetime, MaxSessionLifetime time.Duration
	// ClockSkew is the maximum difference between the clocks of issuers and verifiers.
	ClockSkew time.Duration
	// Stopped is the reason why no key signs, or "".
	Stopped string

	signer *signer
}

// Signs reports whether the snapshot has a signing key.
func (s *Snapshot) Signs() bool { return s.signer != nil }

// withoutSigner returns a snapshot with the same public keys that signs nothing.
func (s *Snapshot) withoutSigner(why string) *Snapshot {
	stopped := *s
	stopped.signer, stopped.KeyID, stopped.Stopped = nil, "", why
	return &stopped
}

// withRevocations returns a snapshot with another revocation list.
func (s *Snapshot) withRevocations(list issuerfiles.Revoked) *Snapshot {
	other := *s
	other.Revoked = list
	return &other
}

// withoutKeys returns a snapshot without the given public keys.
func (s *Snapshot) withoutKeys(revoked []string) *Snapshot {
	clean := *s
	clean.JWKS, _ = issuerfiles.Without(s.JWKS, revoked)
	clean.ETag = etag(clean.JWKS)
	return &clean
}

func etag(jwks []byte) string {
	digest := sha256.Sum256(jwks)
	return `"` + base64.RawURLEncoding.EncodeToString(digest[:]) + `"`
}

// Sign signs a payload and returns the JWS in compact serialization (RFC 7515 section 7.1).
func (s *Snapshot) Sign(payload []byte) (string, error) {
	compact, err := s.signer.sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign with key %s: %w", s.KeyID, err)
	}
	return compact, nil
}

// Parse parses and validates the files of a signing-key Secret. also is merged into its revocation list. No error
// quotes a file.
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
		return nil, fmt.Errorf("encode %s: %w", contract.JWKSFile, err)
	}
	s.ETag = etag(s.JWKS)
	kid := issuerfiles.KeyID(files.Active)
	switch {
	case len(files.Active) == 0:
		return s.withoutSigner("the Secret has no active.jwk: the SigningKey is starting, draining or deleted, or its key was revoked. See its condition Ready"), nil
	case slices.Contains(revoked, kid):
		return s.withoutSigner("key " + kid + " is revoked"), nil
	}
	if err := s.setSigner(files.Active, public); err != nil {
		return nil, fmt.Errorf("%s: %w", contract.ActiveFile, err)
	}
	return s, nil
}

// parseJWKS parses a JWK Set and returns only the public keys.
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
			return nil, fmt.Errorf("key %q must have a kid, an alg and the use sig", k.KeyID)
		case seen[k.KeyID]:
			return nil, fmt.Errorf("two keys have the kid %q", k.KeyID)
		}
		seen[k.KeyID] = true
	}
	return &set, nil
}

// setSigner sets the signing key, which must match the policy and a public key.
func (s *Snapshot) setSigner(active []byte, public *jose.JSONWebKeySet) error {
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(active); err != nil || !key.Valid() || key.IsPublic() {
		return errors.New("not a private key")
	}
	if key.Algorithm != s.Algorithm {
		return fmt.Errorf("the private key has the alg %q, but policy.json has %q", key.Algorithm, s.Algorithm)
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
		return fmt.Errorf("the kid of the public key %s is not its thumbprint (RFC 7638)", key.KeyID)
	}
	if s.signer, err = newSigner(&key); err != nil {
		return fmt.Errorf("key %s cannot sign: %w", key.KeyID, err)
	}
	s.KeyID = key.KeyID
	return s.testSigner(&published[0])
}

// testSigner signs a test payload and verifies the signature with the public key.
func (s *Snapshot) testSigner(public *jose.JSONWebKey) error {
	compact, err := s.Sign([]byte("{}"))
	if err != nil {
		return err
	}
	signed, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(s.Algorithm)})
	if err != nil {
		return err
	}
	if _, err := signed.Verify(public); err != nil {
		return fmt.Errorf("private key %s does not match its public key", s.KeyID)
	}
	return nil
}

func thumbprint(key *jose.JSONWebKey) (string, error) {
	digest, err := key.Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(digest), err
}
