package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/keywright/keywright/api/issuerfiles"
)

const (
	issuerURL    = "https://issuer.example.com"
	audience     = "https://shop.example.com"
	clientSecret = "a-client-secret-that-is-long-enough"
	password     = "correct horse battery staple"
)

// writeFiles writes what an issuer mounts. ADDRESS and METRICS stand for addresses.
func writeFiles(directory, users string) error {
	write := func(name, content string) error {
		return os.WriteFile(filepath.Join(directory, name), []byte(content), 0o600)
	}
	digest := sha256.Sum256([]byte(clientSecret))
	return errors.Join(
		write("issuer.yaml", fmt.Sprintf(`apiVersion: issuer.keywright.dev/v1alpha1
kind: IssuerConfiguration
issuer: %s
server: {address: "ADDRESS", metricsAddress: "METRICS", pprof: true, tls: {certFile: %[2]s/tls.crt, keyFile: %[2]s/tls.key}}
signingKey: {directory: %[2]s}
users: {file: %[2]s/users.yaml}
login: {failuresPerUser: {burst: 1000000, every: 1ms}, failuresPerNetwork: {burst: 1000000, every: 1ms}}
token: {lifetime: 5m, audiences: [%[3]s], scopes: [read]}
clients:
- {id: batch, secretSHA256: %[4]x, grantTypes: [client_credentials]}
- {id: web, public: true, grantTypes: [password]}
- {id: spa, public: true, grantTypes: [password], refresh: {dpop: true}}
- {id: pods, public: true, grantTypes: ["urn:ietf:params:oauth:grant-type:token-exchange"], subjectIssuers: [cluster]}
tokenExchange:
- {name: cluster, issuer: "https://cluster.example.com", keys: {file: %[2]s/cluster.json}, subject: claims.sub}
`, issuerURL, directory, audience, digest)),
		write("users.yaml", "apiVersion: issuer.keywright.dev/v1alpha1\nkind: UserList\nusers:\n"+users),
	)
}

func writeKey(directory string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return err
	}
	scalar, err := key.Bytes()
	if err != nil {
		return err
	}
	b64 := base64.RawURLEncoding.EncodeToString
	x, y := b64(point[1:33]), b64(point[33:])
	thumbprint := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, x, y)) // RFC 7638
	public := fmt.Sprintf(`"alg":"ES256","crv":"P-256","kid":%q,"kty":"EC","use":"sig","x":%q,"y":%q`, b64(thumbprint[:]), x, y)
	data, err := issuerfiles.Files{
		Active: fmt.Appendf(nil, `{%s,"d":%q}`, public, b64(scalar)), KeySet: fmt.Appendf(nil, `{"keys":[{%s}]}`, public),
		Policy: issuerfiles.Policy{
			SigningKey: "bench", Algorithm: "ES256", MaxLifetime: time.Hour, ClockSkew: time.Minute,
			MaxRefreshLifetime: 12 * time.Hour, MaxSessionLifetime: 720 * time.Hour,
		},
		Sealing: issuerfiles.SealingKeys{{
			Number: 1, Secret: make([]byte, issuerfiles.SealingSecretBytes), PreparedAt: time.Unix(1, 0), UsedAt: time.Unix(1, 0), MaxRefreshLifetime: 12 * time.Hour,
		}},
	}.Encode()
	for name, content := range data {
		err = errors.Join(err, os.WriteFile(filepath.Join(directory, name), content, 0o600))
	}
	return err
}

func writeCertificate(directory string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	write := func(name, kind string, b []byte) error {
		return os.WriteFile(filepath.Join(directory, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600)
	}
	return errors.Join(write("tls.crt", "CERTIFICATE", der), write("tls.key", "PRIVATE KEY", private))
}

// user is an entry of users.yaml.
func user(hash string) string {
	return fmt.Sprintf("- {name: alice, subject: a, passwordHash: %q}\n", hash)
}
