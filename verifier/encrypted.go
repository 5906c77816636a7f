package verifier

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/verifier/internal/jws"
	"github.com/keywright/keywright/verifier/internal/strictjson"
)

// DecryptionKeys holds the private keys for tokens that are encrypted for this service: nested JWTs, signed and then
// encrypted (RFC 7519 section 5.2, RFC 7516). Encryption does not authenticate the issuer, so the inner token is
// verified like any other.
type DecryptionKeys struct {
	keys map[string]decryptionKey
}

type decryptionKey struct {
	algorithm jose.KeyAlgorithm
	private   any // *ecdsa.PrivateKey or *rsa.PrivateKey
}

// The supported content encryption. Algorithms with a history of attacks (RSA1_5, RSA-OAEP with SHA-1, the CBC modes)
// and those with shared secrets are not supported.
const (
	contentEncryption = jose.A256GCM
	ivBytes           = 12
	tagBytes          = 16
)

// ParseDecryptionKeys parses a JWK Set of private keys, of at most 1 MiB. Each needs a unique kid, use "enc" and an
// alg: ECDH-ES+A256KW with an EC key of P-256, P-384 or P-521, or RSA-OAEP-256 with an RSA key of 2048 bits or more.
// No error quotes a key. In Go's FIPS 140-3 mode, decryption may be unavailable (GODEBUG=fips140=only); then it
// returns an error.
func ParseDecryptionKeys(data []byte) (*DecryptionKeys, error) {
	if len(data) > maxKeySetBytes {
		return nil, fmt.Errorf("decryption keys: longer than %d bytes", maxKeySetBytes)
	}
	members, err := strictjson.Parse(string(data), nil)
	if err != nil {
		return nil, fmt.Errorf("decryption keys: %w", err)
	}
	list, _ := strictjson.List(members.Find("keys"))
	if len(list) == 0 {
		return nil, errors.New("decryption keys: keys is missing, empty or not a list")
	}
	if err := canDecrypt(); err != nil {
		return nil, fmt.Errorf("decryption keys: this process cannot decrypt: %w", err)
	}
	parsed := &DecryptionKeys{keys: make(map[string]decryptionKey, len(list))}
	for i, jwk := range list {
		if err := parsed.add(jwk); err != nil {
			return nil, fmt.Errorf("decryption keys: key %d: %w", i, err)
		}
	}
	return parsed, nil
}

// canDecrypt returns an error if A256GCM is unavailable.
func canDecrypt() error {
	block, err := aes.NewCipher(make([]byte, 32))
	if err == nil {
		_, err = cipher.NewGCM(block)
	}
	return err
}

func (d *DecryptionKeys) add(text string) error {
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON([]byte(text)); err != nil {
		return errors.New("it is not a JWK of a known type")
	}
	if _, found := d.keys[jwk.KeyID]; found || jwk.KeyID == "" {
		return errors.New("it has no kid, or has the kid of another key")
	}
	if jwk.Use != "enc" {
		return errors.New(`use is not "enc"`)
	}
	algorithm := jose.KeyAlgorithm(jwk.Algorithm)
	switch private := jwk.Key.(type) {
	case *ecdsa.PrivateKey:
		if algorithm != jose.ECDH_ES_A256KW {
			return fmt.Errorf("alg is not %s, which an EC key needs", jose.ECDH_ES_A256KW)
		}
	case *rsa.PrivateKey:
		if algorithm != jose.RSA_OAEP_256 || private.N.BitLen() < jws.MinRSABits {
			return fmt.Errorf("alg is not %s, which an RSA key needs, or the key has fewer than %d bits", jose.RSA_OAEP_256, jws.MinRSABits)
		}
	default:
		return errors.New("it is neither an EC nor an RSA private key")
	}
	d.keys[jwk.KeyID] = decryptionKey{algorithm: algorithm, private: jwk.Key}
	return nil
}

// open decrypts an encrypted token and returns the inner one. It returns any other text unchanged. Without keys it
// returns all texts unchanged, and an encrypted token is then rejected as malformed.
func (d *DecryptionKeys) open(token string) (string, error) {
	if d == nil || strings.Count(token, ".") != 4 {
		return token, nil
	}
	segments := strings.Split(token, ".")
	if len(segments[0]) > maxHeaderBytes {
		return "", fmt.Errorf("%w: its header is longer than %d bytes", ErrMalformed, maxHeaderBytes)
	}
	var decoded [5][]byte
	for i, segment := range segments {
		data, err := decodeSegment(i, segment)
		if err != nil {
			return "", err
		}
		decoded[i] = data
	}
	if len(decoded[2]) != ivBytes || len(decoded[4]) != tagBytes {
		return "", fmt.Errorf("%w: the length of its initialization vector or tag does not match %s", ErrMalformed, contentEncryption)
	}
	key, err := d.keyOf(decoded[0])
	if err != nil {
		return "", err
	}
	jwe, err := jose.ParseEncryptedCompact(token, []jose.KeyAlgorithm{key.algorithm}, []jose.ContentEncryption{contentEncryption})
	if err != nil {
		// The cause is omitted, here and below: it may quote the token, or help an attacker.
		return "", fmt.Errorf("%w: not a JWE", ErrMalformed)
	}
	inner, err := jwe.Decrypt(key.private)
	if err != nil {
		return "", fmt.Errorf("%w: it is not encrypted for the key that its kid names, or was changed", ErrNotDecrypted)
	}
	return string(inner), nil
}

// keyOf parses the header of an encrypted token (RFC 7516 section 4) and returns the key that it names.
func (d *DecryptionKeys) keyOf(header []byte) (decryptionKey, error) {
	members, err := strictjson.Parse(string(header), nil)
	if err != nil {
		return decryptionKey{}, fmt.Errorf("%w: its header is not a valid JSON object, or has duplicate members", ErrMalformed)
	}
	for _, name := range [...]string{"crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "p2c", "p2s"} {
		if members.Has(name) {
			return decryptionKey{}, fmt.Errorf("%w: its header has %s", ErrMalformed, name)
		}
	}
	if cty, _ := strictjson.Text(members.Find("cty")); !strings.EqualFold(cty, "JWT") {
		return decryptionKey{}, fmt.Errorf("%w: its cty is not JWT", ErrMalformed)
	}
	kid, _ := strictjson.Text(members.Find("kid"))
	key, found := d.keys[kid]
	if !found {
		return decryptionKey{}, fmt.Errorf("%w: it is encrypted for a key that this service does not have", ErrNotDecrypted)
	}
	alg, _ := strictjson.Text(members.Find("alg"))
	enc, _ := strictjson.Text(members.Find("enc"))
	if alg != string(key.algorithm) || enc != string(contentEncryption) {
		return decryptionKey{}, fmt.Errorf("%w: its alg is not the alg of the key that its kid names, or its enc is not %s",
			ErrWrongAlgorithm, contentEncryption)
	}
	return key, nil
}
