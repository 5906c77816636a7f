package config

import "slices"

// Scopes returns the scopes of all clients, sorted.
func (c *Config) Scopes() []string {
	var all []string
	for i := range c.Clients {
		all = append(all, c.Clients[i].Scopes...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// AuthenticationMethods returns the authentication methods of all clients, by their names in the registry of RFC 7591
// section 4.2.
func (c *Config) AuthenticationMethods() []string {
	var secrets, assertions, certificates, public bool
	for i := range c.Clients {
		client := &c.Clients[i]
		secrets = secrets || client.digest != nil
		assertions = assertions || len(client.PublicKeys) > 0
		certificates = certificates || client.CertificateName != ""
		public = public || client.Public
	}
	var all []string
	if secrets {
		all = append(all, "client_secret_basic", "client_secret_post")
	}
	if assertions {
		all = append(all, "private_key_jwt")
	}
	if certificates {
		all = append(all, "tls_client_auth")
	}
	if public {
		all = append(all, "none")
	}
	return all
}
