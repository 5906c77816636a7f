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

// wellKnown is what stands in the URL of the metadata, before the path of the resource (RFC 9728 section 3.1).
const wellKnown = "/.well-known/oauth-protected-resource"

// Metadata says of a protected resource what a client must know to get a token for it (RFC 9728 section 2). A client that gets 401
// finds it by the challenge of Middleware, if it is in Config.Metadata. It is public.
type Metadata struct {
	// Resource is the URL by which clients name this service (resource), usually Config.Audience. It has no query and no
	// fragment, and is https, or http at localhost.
	Resource string
	// AuthorizationServers are the issuers whose tokens are accepted (authorization_servers): URLs, at least one.
	AuthorizationServers []string
	// ScopesSupported are the scopes that a client may ask for (scopes_supported); nil says nothing about them.
	ScopesSupported []string
	// Name is a name for people (resource_name).
	Name string
	// Documentation is the URL of a page for developers (resource_documentation).
	Documentation string
	// Proof is that of the Config, of which New sees to it: it says whether tokens are bound by DPoP
	// (dpop_bound_access_tokens_required, dpop_signing_alg_values_supported).
	Proof Proof
	// CertificateBound says that tokens are bound to TLS client certificates (tls_client_certificate_bound_access_tokens).
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

// Path is where the Handler is to be served: /.well-known/oauth-protected-resource, and behind it the path of the resource, if it has
// one (RFC 9728 section 3.1).
func (m Metadata) Path() string {
	_, path := m.split()
	return wellKnown + path
}

// URL is the URL of the metadata, which challenges name.
func (m Metadata) URL() string {
	origin, path := m.split()
	return origin + wellKnown + path
}

// split cuts the resource before its path, which is "" if it is /.
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

// Handler serves the metadata to GET, HEAD and, for browsers at any origin, OPTIONS. It serves 500 if New would refuse the metadata.
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

// checkMetadata checks Config.Metadata.
func (c Config) checkMetadata() error {
	if c.Metadata == nil {
		return nil
	}
	if c.Metadata.Proof != c.Proof {
		return errors.New("config field Metadata says another Proof than the Config")
	}
	return c.Metadata.check()
}

func (m Metadata) check() error {
	if !isPublicURL(m.Resource) {
		return errors.New("config field Metadata: Resource is not an https URL without query and fragment")
	}
	if len(m.AuthorizationServers) == 0 {
		return errors.New("config field Metadata: AuthorizationServers is empty")
	}
	for _, issuer := range m.AuthorizationServers {
		if !isPublicURL(issuer) {
			return errors.New("config field Metadata: AuthorizationServers has what is not an https URL without query and fragment")
		}
	}
	return nil
}

// isPublicURL reports whether a URL is one that may be named to clients: https, or http on this machine, which tests use. What would
// need an escape in a challenge is none.
func isPublicURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil ||
		strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"\?#`, r) }) {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || (u.Scheme == "http" && (u.Hostname() == "localhost" || ip.IsLoopback()))
}
