package verifier

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/keywright/keywright/verifier/dpop"
)

// wellKnown is the path prefix of the metadata (RFC 9728 section 3.1).
const wellKnown = "/.well-known/oauth-protected-resource"

// Metadata is the public metadata of a protected resource (RFC 9728 section 2), from which a client learns how to get
// a token. If it is in Config.Metadata, the challenge of a 401 response refers to it.
type Metadata struct {
	// Resource is the resource identifier of this service (resource), usually Config.Audience. It is an https URL, or
	// http at localhost, without query and fragment.
	Resource string
	// AuthorizationServers are the URLs of the accepted issuers (authorization_servers), at least one.
	AuthorizationServers []string
	// ScopesSupported are the scopes that a client may request (scopes_supported); omitted if nil.
	ScopesSupported []string
	// Name is a human-readable name (resource_name).
	Name string
	// Documentation is the URL of a page for developers (resource_documentation).
	Documentation string
	// Proof must equal Config.Proof, which New checks. It determines the DPoP members
	// (dpop_bound_access_tokens_required, dpop_signing_alg_values_supported).
	Proof Proof
	// CertificateBound reports whether tokens are bound to TLS client certificates
	// (tls_client_certificate_bound_access_tokens).
	CertificateBound bool
}

// document is the JSON of RFC 9728 section 2.
type document struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	ScopesSupported      []string `json:"scopes_supported,omitempty"`
	BearerMethods        []string `json:"bearer_methods_supported,omitempty"`
	Name                 string   `json:"resource_name,omitempty"`
	Documentation        string   `json:"resource_documentation,omitempty"`
	CertificateBound     bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	ProofAlgorithms      []string `json:"dpop_signing_alg_values_supported,omitempty"`
	ProofRequired        bool     `json:"dpop_bound_access_tokens_required,omitempty"`
}

// Path returns the path where the Handler must be served: /.well-known/oauth-protected-resource, followed by the path
// of the resource, if it has one (RFC 9728 section 3.1).
func (m Metadata) Path() string {
	_, path := m.split()
	return wellKnown + path
}

// URL returns the URL of the metadata, for challenges.
func (m Metadata) URL() string {
	origin, path := m.split()
	return origin + wellKnown + path
}

// split returns the origin and the path of the resource. The path is "" if it is /.
func (m Metadata) split() (origin, path string) {
	scheme, rest, _ := strings.Cut(m.Resource, "://")
	authority, path := rest, ""
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		authority, path = rest[:slash], rest[slash:]
	}
	if path == "/" {
		path = ""
	}
	return scheme + "://" + authority, path
}

// Handler serves the metadata to GET, HEAD and OPTIONS, the latter for browsers at any origin. It responds with 500
// if the metadata is invalid.
func (m Metadata) Handler() http.Handler {
	body, err := m.encode()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Access-Control-Allow-Origin", "*")
		switch {
		case err != nil:
			http.Error(w, "the metadata of this resource is not valid", http.StatusInternalServerError)
		case r.Method == http.MethodOptions:
			header.Set("Access-Control-Allow-Methods", "GET, HEAD")
			header.Set("Access-Control-Allow-Headers", "*")
			w.WriteHeader(http.StatusNoContent)
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			header.Set("Content-Type", "application/json")
			header.Set("Cache-Control", "public, max-age=300")
			_, _ = w.Write(body)
		default:
			header.Set("Allow", "GET, HEAD, OPTIONS")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		}
	})
}

func (m Metadata) encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	d := document{
		Resource: m.Resource, AuthorizationServers: m.AuthorizationServers, ScopesSupported: m.ScopesSupported,
		Name: m.Name, Documentation: m.Documentation, CertificateBound: m.CertificateBound,
		ProofRequired: m.Proof == DPoPRequired,
	}
	if m.Proof != DPoPRequired {
		d.BearerMethods = []string{"header"}
	}
	if m.Proof != Bearer {
		d.ProofAlgorithms = dpop.Algorithms()
	}
	return json.Marshal(d)
}

// checkMetadata validates Config.Metadata.
func (c Config) checkMetadata() error {
	if c.Metadata == nil {
		return nil
	}
	if c.Metadata.Proof != c.Proof {
		return errors.New("config field Metadata: Proof must be equal to the config field Proof")
	}
	return c.Metadata.check()
}

func (m Metadata) check() error {
	if !isPublicURL(m.Resource) {
		return errors.New("config field Metadata: Resource must be an https URL without query and fragment")
	}
	if len(m.AuthorizationServers) == 0 {
		return errors.New("config field Metadata: AuthorizationServers is empty")
	}
	for _, issuer := range m.AuthorizationServers {
		if !isPublicURL(issuer) {
			return errors.New("config field Metadata: AuthorizationServers has an entry that is not an https URL without query and fragment")
		}
	}
	return nil
}

// isPublicURL reports whether a URL is https, or http at localhost for tests, and needs no escaping in a challenge.
func isPublicURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil ||
		strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"\?#`, r) }) {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || (u.Scheme == "http" && (u.Hostname() == "localhost" || ip.IsLoopback()))
}
