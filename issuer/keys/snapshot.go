package keys

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/issuer/mount"
)

// maxBytes bounds each file: a Secret holds at most 1 MiB.
const maxBytes = 1 << 20

// Snapshot is one state of the signing-key Secret. It never changes: kid, algorithm and signer belong together.
type Snapshot struct {
	// SigningKey is the name of the SigningKey.
	SigningKey string
	// KeyID is that of the key that signs, empty while the SigningKey drains.
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

	signer *signer
}

// Draining tells that there is no key to sign with: the SigningKey was deleted, and its tokens run out.
func (s *Snapshot) Draining() bool { return s.signer == nil }

// Sign returns a payload as a JWS in compact form (RFC 7515 section 7.1).
func (s *Snapshot) Sign(payload []byte) (string, error) {
	compact, err := s.signer.sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign with key %s: %w", s.KeyID, err)
	}
	return compact, nil
}

// Paths are the files that a Snapshot is read from.
func Paths(directory string) []string {
	return []string{
		filepath.Join(directory, contract.ActiveFile), filepath.Join(directory, contract.JWKSFile),
		filepath.Join(directory, contract.PolicyFile),
	}
}

// Load reads and checks what is mounted at directory. All files are read from one version of the mount.
func Load(directory string) (*Snapshot, error) {
	version := mount.Version(directory)
	policy, err := mount.Read(filepath.Join(version, contract.PolicyFile), maxBytes)
	if err != nil {
		return nil, err
	}
	jwks, err := mount.Read(filepath.Join(version, contract.JWKSFile), maxBytes)
	if err != nil {
		return nil, err
	}
	active, err := mount.Read(filepath.Join(version, contract.ActiveFile), maxBytes)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return Parse(policy, jwks, active)
}

// Parse checks the three files. active is empty while the SigningKey drains. No error quotes a file.
func Parse(policy, jwks, active []byte) (*Snapshot, error) {
	s, err := parsePolicy(policy)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", contract.PolicyFile, err)
	}
	public, err := parseJWKS(jwks)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", contract.JWKSFile, err)
	}
	if s.JWKS, err = json.Marshal(public); err != nil {
		return nil, fmt.Errorf("%s: encode it again: %w", contract.JWKSFile, err)
	}
	digest := sha256.Sum256(s.JWKS)
	s.ETag = `"` + base64.RawURLEncoding.EncodeToString(digest[:]) + `"`
	if len(active) == 0 {
		return s, nil
	}
	if err := s.arm(active, public); err != nil {
		return nil, fmt.Errorf("%s: %w", contract.ActiveFile, err)
	}
	return s, nil
}

func parsePolicy(b []byte) (*Snapshot, error) {
	var policy map[string]any
	if err := json.Unmarshal(b, &policy); err != nil {
		return nil, errors.New("not a JSON object")
	}
	var s Snapshot
	s.SigningKey, _ = policy[contract.PolicySigningKey].(string)
	s.Algorithm, _ = policy[contract.PolicyAlgorithm].(string)
	seconds, _ := policy[contract.PolicyMaxLifetime].(float64)
	if s.Algorithm == "" || seconds < 1 || seconds > 24*60*60 {
		return nil, fmt.Errorf("needs %s, and %s between 1 and 86400", contract.PolicyAlgorithm, contract.PolicyMaxLifetime)
	}
	s.MaxLifetime = time.Duration(seconds) * time.Second
	if next, ok := policy[contract.PolicyNextRotation].(string); ok {
		at, err := time.Parse(time.RFC3339, next)
		if err != nil {
			return nil, fmt.Errorf("%s is not a time", contract.PolicyNextRotation)
		}
		s.NextRotation = at
	}
	return &s, nil
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
