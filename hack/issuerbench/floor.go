package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// serveFloor serves "static" (A), "raw" (B), "exchange" (C) or "verified" (D) at an address, with the certificate in a directory.
func serveFloor(kind, address, directory string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	handler := static()
	switch kind {
	case "raw":
		handler = raw(key)
	case "verified":
		handler = verified(key)
	case "exchange":
		cluster, err := readSubjectKey(directory)
		if err != nil {
			return err
		}
		handler = exchanged(key, cluster)
	}
	server := &http.Server{
		Addr: address, Handler: handler, ReadHeaderTimeout: 5 * time.Second,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13},
	}
	return server.ListenAndServeTLS(directory+"/tls.crt", directory+"/tls.key")
}

// static is A: what HTTPS alone takes, with an answer of the size of a token's.
func static() http.HandlerFunc {
	answer := []byte(`{"access_token":"` + strings.Repeat("x", 600) + `","token_type":"Bearer","expires_in":300}`)
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	}
}

// header is the first part of each token:
// {"alg":"ES256","kid":"IAxPT-UiN0pXS8cZHxuw_OhbMI2UJG_Szn0JW1g1-iQ","typ":"at+jwt"}.
const header = "eyJhbGciOiJFUzI1NiIsImtpZCI6IklBeFBULVVpTjBwWFM4Y1pIeHV3X09oYk1JMlVKR19Tem4wSlcxZzEtaVEiLCJ0eXAiOiJhdCtqd3QifQ."

type claims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience []string `json:"aud"`
	ClientID string   `json:"client_id"`
	Expiry   int64    `json:"exp"`
	IssuedAt int64    `json:"iat"`
	ID       string   `json:"jti"`
	Scope    string   `json:"scope"`
}

// raw is B: a secret compared, claims encoded, and a signature. No log, no metrics, no limits, no choice.
func raw(key *ecdsa.PrivateKey) http.HandlerFunc {
	want := sha256.Sum256([]byte(clientSecret))
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		got := sha256.Sum256([]byte(r.PostFormValue("client_secret")))
		if r.PostForm.Get("client_id") != "batch" || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answer(w, key, claims{Subject: "client:batch", ClientID: "batch"})
	}
}

// verified is D: what B does, and a bare verification of a signature.
func verified(key *ecdsa.PrivateKey) http.HandlerFunc {
	digest := sha256.Sum256([]byte("proof"))
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		panic(err) // the key is one of P-256
	}
	then := raw(key)
	return func(w http.ResponseWriter, r *http.Request) {
		if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature) {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		then(w, r)
	}
}

// answer signs claims and sends the token.
func answer(w http.ResponseWriter, key *ecdsa.PrivateKey, c claims) {
	now := time.Now().Unix()
	c.Issuer, c.Audience, c.Expiry, c.IssuedAt, c.ID, c.Scope = issuerURL, []string{audience}, now+300, now, rand.Text(), "read"
	payload, err := json.Marshal(c)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	b64 := base64.RawURLEncoding
	signed := b64.AppendEncode([]byte(header), payload)
	digest := sha256.Sum256(signed)
	x, y, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	var signature [64]byte
	x.FillBytes(signature[:32])
	y.FillBytes(signature[32:])
	token := string(b64.AppendEncode(append(signed, '.'), signature[:]))
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 300, "scope": "read"})
}

// exchanged is C: what B does, and before it the form, the JSON and the signature of a subject token, each read once.
func exchanged(key *ecdsa.PrivateKey, cluster *rsa.PublicKey) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		subject, err := readSubject(r.PostFormValue("subject_token"), cluster)
		if err != nil || r.PostForm.Get("client_id") != "pods" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		answer(w, key, claims{Subject: "cluster:" + subject, ClientID: "pods"})
	}
}

// readSubject verifies a token of RS256, and returns its subject.
func readSubject(token string, cluster *rsa.PublicKey) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("no token")
	}
	b64 := base64.RawURLEncoding
	head, err1 := b64.DecodeString(parts[0])
	payload, err2 := b64.DecodeString(parts[1])
	signature, err3 := b64.DecodeString(parts[2])
	if err := errors.Join(err1, err2, err3); err != nil {
		return "", err
	}
	var h struct{ Alg, Kid string }
	var all map[string]any // claims are mapped by expressions, which may read each of them
	if err := errors.Join(json.Unmarshal(head, &h), json.Unmarshal(payload, &all)); err != nil {
		return "", err
	}
	expiry, _ := all["exp"].(float64)
	subject, _ := all["sub"].(string)
	if h.Alg != "RS256" || h.Kid != "cluster" || subject == "" || time.Now().Unix() >= int64(expiry) {
		return "", errors.New("not that token")
	}
	digest := sha256.Sum256([]byte(token[:len(parts[0])+1+len(parts[1])]))
	return subject, rsa.VerifyPKCS1v15(cluster, crypto.SHA256, digest[:], signature)
}
