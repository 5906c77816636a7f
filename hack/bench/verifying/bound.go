package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/verifier"
	"github.com/keywright/keywright/verifier/dpop"
)

// holder is a client that tokens are bound to.
type holder struct {
	key    jose.JSONWebKey
	signer jose.Signer
	made   int
}

func newHolder(algorithm jose.SignatureAlgorithm) (*holder, error) {
	private, err := generate(algorithm)
	if err != nil {
		return nil, err
	}
	h := &holder{key: jose.JSONWebKey{Key: private}}
	h.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: private},
		(&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	return h, err
}

func (h *holder) thumbprint() (string, error) {
	public := h.key.Public()
	sum, err := public.Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(sum), err
}

// request is a new request with a token and a proof.
func (h *holder) request(token string) (*http.Request, string, error) {
	h.made++
	claims, err := json.Marshal(map[string]any{
		"jti": fmt.Sprintf("k3Jx2Lk1Q0yA%08d", h.made), "htm": http.MethodGet, "htu": audience + "/orders", "iat": time.Now().Unix(),
		"ath": dpop.AccessTokenHash(token),
	})
	if err != nil {
		return nil, "", err
	}
	signed, err := h.signer.Sign(claims)
	if err != nil {
		return nil, "", err
	}
	proof, err := signed.CompactSerialize()
	return &http.Request{
		Method: http.MethodGet, URL: &url.URL{Path: "/orders"}, RequestURI: "/orders?page=2",
		Header: http.Header{"Authorization": {"DPoP " + token}, http.CanonicalHeaderKey(dpop.Header): {proof}},
	}, proof, err
}

// parts are what a bare check takes: the text that is signed, and its signature.
type parts struct {
	public           crypto.PublicKey
	input, signature []byte
}

// split decodes a signature into the form that the standard library takes.
func split(public crypto.PublicKey, compact string) (parts, error) {
	cut := strings.LastIndexByte(compact, '.')
	signature, err := base64.RawURLEncoding.DecodeString(compact[cut+1:])
	if _, isEC := public.(*ecdsa.PublicKey); err == nil && isEC {
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		signature, err = asn1.Marshal([]*big.Int{r, s})
	}
	return parts{public, []byte(compact[:cut]), signature}, err
}

// check hashes and checks a signature, and does nothing else.
func (p parts) check() error {
	ok := false
	switch key := p.public.(type) {
	case ed25519.PublicKey:
		ok = ed25519.Verify(key, p.input, p.signature)
	case *ecdsa.PublicKey:
		digest := sha256.Sum256(p.input)
		ok = ecdsa.VerifyASN1(key, digest[:], p.signature)
	case *rsa.PublicKey:
		digest := sha256.Sum256(p.input)
		ok = rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], p.signature) == nil
	}
	if !ok {
		return errors.New("bad signature")
	}
	return nil
}

// bound measures tokens that are bound to a key, with a proof each, against two bare checks; and a token that comes again with a new
// proof against one.
func bound(i *issuer, rounds int) error {
	client, err := newHolder(i.algorithm)
	if err != nil {
		return err
	}
	if i.thumbprint, err = client.thumbprint(); err != nil {
		return err
	}
	defer func() { i.thumbprint = "" }()
	v, remove, err := oursWith(i, nil, func(c *verifier.Config) { c.Proof, c.BaseURL = verifier.DPoPOptional, audience })
	if err != nil {
		return err
	}
	defer remove()
	known, err := i.tokens(1)
	if err != nil {
		return err
	}
	prepare := func(token string) (prepared, error) {
		request, proof, err := client.request(token)
		if err != nil {
			return prepared{}, err
		}
		ofToken, err := split(i.active.Public().Key, token)
		if err != nil {
			return prepared{}, err
		}
		ofProof, err := split(client.key.Public().Key, proof)
		return prepared{token: token, request: request, bare: []parts{ofProof, ofToken}}, err
	}
	verify := func(p prepared) error {
		_, err := v.VerifyRequest(p.request)
		return err
	}
	again := func(string) (prepared, error) {
		p, err := prepare(known[0])
		p.bare = p.bare[:min(len(p.bare), 1)]
		return p, err
	}
	for _, row := range []struct {
		name string
		list []contestant
	}{
		{"with a proof, first verification", []contestant{{"two bare signature checks", prepare, bare}, {"this module", prepare, verify}}},
		{"a known token with a new proof", []contestant{{"one bare signature check", again, bare}, {"this module", again, verify}}},
	} {
		f := &field{list: row.list}
		results, err := first(i, f, rounds)
		if err != nil {
			return err
		}
		printTable(fmt.Sprintf("%s, %s", i.algorithm, row.name), f, results)
	}
	return nil
}
