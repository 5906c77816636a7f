package oauth2

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"slices"

	"github.com/keywright/keywright/issuer/config"
)

// certificateOf returns the client certificate, nil if there is none. TLS has verified it against the client CAs.
func certificateOf(r *http.Request) *x509.Certificate {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return nil
	}
	return r.TLS.PeerCertificates[0]
}

// authenticateCertificate implements tls_client_auth (RFC 8705 section 2.1): a DNS name or a URI of the certificate
// must be the configured one.
func authenticateCertificate(client *config.Client, certificate *x509.Certificate) *Error {
	if certificate == nil {
		return invalidClient("the client sent no certificate: it must connect to the listener for mutual TLS")
	}
	uris := make([]string, len(certificate.URIs))
	for i, uri := range certificate.URIs {
		uris[i] = uri.String()
	}
	if !slices.Contains(certificate.DNSNames, client.CertificateName) && !slices.Contains(uris, client.CertificateName) {
		return invalidClient("the certificate does not have the certificateName of the client")
	}
	return nil
}

// certificateThumbprint returns the thumbprint of the certificate that the access token is bound to (RFC 8705 section
// 3), or "".
func (c *call) certificateThumbprint() string {
	if c.client.CertificateName == "" || c.certificate == nil {
		return ""
	}
	digest := sha256.Sum256(c.certificate.Raw)
	return base64.RawURLEncoding.EncodeToString(digest[:])
}
