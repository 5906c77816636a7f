package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// subject is a token of an API server, signed with RS256, as large as one of a pod.
type subject struct {
	token     string
	key       *rsa.PublicKey
	digest    [sha256.Size]byte
	signature []byte
}

func newSubject(directory string) (*subject, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	b64 := base64.RawURLEncoding.EncodeToString
	jwks := fmt.Sprintf(`{"keys":[{"kty":"RSA","alg":"RS256","use":"sig","kid":"cluster","n":%q,"e":%q}]}`,
		b64(key.N.Bytes()), b64(big.NewInt(int64(key.E)).Bytes()))
	if err := os.WriteFile(filepath.Join(directory, "cluster.json"), []byte(jwks), 0o600); err != nil {
		return nil, err
	}
	now := time.Now().Unix()
	claims := fmt.Sprintf(`{"aud":[%q],"exp":%d,"iat":%d,"nbf":%[3]d,"iss":"https://cluster.example.com","jti":"ce7f7a3c-0b4f-4c6a-9f6a-3f6f1d0e7f11",`+
		`"kubernetes.io":{"namespace":"shop","node":{"name":"node-1","uid":"6b7a"},"pod":{"name":"cart-7d9c-abcde","uid":"0c2d"},`+
		`"serviceaccount":{"name":"cart","uid":"9f3e"}},"sub":"system:serviceaccount:shop:cart"}`, issuerURL, now+3600, now)
	signed := b64([]byte(`{"alg":"RS256","kid":"cluster"}`)) + "." + b64([]byte(claims))
	s := &subject{key: &key.PublicKey, digest: sha256.Sum256([]byte(signed))}
	s.signature, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, s.digest[:])
	s.token = signed + "." + b64(s.signature)
	return s, err
}

func (s *subject) exchange() []byte {
	return request(url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "client_id": {"pods"}, "subject_token": {s.token},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"},
	})
}

// readSubjectKey reads the key set that newSubject wrote.
func readSubjectKey(directory string) (*rsa.PublicKey, error) {
	b, err := os.ReadFile(filepath.Join(directory, "cluster.json"))
	if err != nil {
		return nil, err
	}
	var set struct{ Keys []struct{ N, E string } }
	if err := json.Unmarshal(b, &set); err != nil || len(set.Keys) != 1 {
		return nil, fmt.Errorf("cluster.json has %d keys: %w", len(set.Keys), err)
	}
	n, err1 := base64.RawURLEncoding.DecodeString(set.Keys[0].N)
	e, err2 := base64.RawURLEncoding.DecodeString(set.Keys[0].E)
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	return key, errors.Join(err1, err2)
}
