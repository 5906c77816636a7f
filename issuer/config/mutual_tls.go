package config

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/keywright/keywright/issuer/strictyaml"
)

// MutualTLS configures the listener for clients that authenticate with a certificate (RFC 8705 section 2.1). It is
// separate, because browsers would ask users for a certificate.
type MutualTLS struct {
	// Address is the address of the listener, such as ":8444".
	Address string `yaml:"address"`
	// URL is the URL of its token endpoint, for mtls_endpoint_aliases in the metadata (section 5).
	URL string `yaml:"url"`
	// ClientCAFile contains the CA certificates of clients, PEM. It is reloaded when it changes.
	ClientCAFile string `yaml:"clientCAFile"`
}

func (m *MutualTLS) check(f *strictyaml.Findings) {
	const at = "server.mutualTLS."
	if _, _, err := net.SplitHostPort(m.Address); err != nil {
		f.Add(at+"address", "must be host:port or :port, not %q", m.Address)
	}
	if !isHTTPS(m.URL) || strings.ContainsAny(m.URL, "?#") {
		f.Add(at+"url", "must be the https URL of the token endpoint at this listener, without user, query and fragment")
	}
	if m.ClientCAFile == "" {
		f.Add(at+"clientCAFile", "must name the file with the CAs of client certificates")
	}
}

var dnsName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)

// checkCertificate checks the certificate authentication of a client.
func (c *Config) checkCertificate(client *Client, at string, f *strictyaml.Findings) {
	name := client.CertificateName
	if name == "" {
		return
	}
	if c.Server.MutualTLS == nil {
		f.Add(at+".certificateName", "needs server.mutualTLS")
	}
	if u, err := url.Parse(name); len(name) > 255 || !dnsName.MatchString(name) && (err != nil || u.Scheme == "" || u.Host == "") {
		f.Add(at+".certificateName", "must be a DNS name in lower case, or a URI like spiffe://cluster.local/ns/shop/sa/cart")
	}
	for i := range c.Clients {
		if other := &c.Clients[i]; other != client && other.CertificateName == name {
			f.Add(at+".certificateName", "is also the certificateName of the client %q", other.ID)
			return
		}
	}
}

// TokenEndpoints returns all URLs of the token endpoint.
func (c *Config) TokenEndpoints() []string {
	all := slices.Concat([]string{c.TokenEndpoint()}, c.Server.TokenEndpointAliases)
	if m := c.Server.MutualTLS; m != nil {
		all = append(all, m.URL)
	}
	return all
}
