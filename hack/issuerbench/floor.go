package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// serveFloor serves "static" (A) or "raw" (B) at an address, with the certificate in a directory.
func serveFloor(kind, address, directory string) error {
	handler := static()
	if kind == "raw" {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		handler = raw(key)
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
	b64 := base64.RawURLEncoding
	header := b64.EncodeToString([]byte(`{"alg":"ES256","kid":"IAxPT-UiN0pXS8cZHxuw_OhbMI2UJG_Szn0JW1g1-iQ","typ":"at+jwt"}`)) + "."
	want := sha256.Sum256([]byte(clientSecret))
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		got := sha256.Sum256([]byte(r.PostFormValue("client_secret")))
		if r.PostForm.Get("client_id") != "batch" || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		now := time.Now().Unix()
		payload, err := json.Marshal(claims{
			Issuer: issuerURL, Subject: "client:batch", Audience: []string{audience}, ClientID: "batch",
			Expiry: now + 300, IssuedAt: now, ID: rand.Text(), Scope: "read",
		})
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
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
}
