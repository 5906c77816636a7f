package jwtverify

// KeySource locates the public keys of an issuer. Without File and URL, they are discovered (OpenID Connect
// Discovery).
type KeySource struct {
	// File is the path of a file with the key set.
	File string `yaml:"file"`
	// URL is the https URL of the key set. Without File and URL, the key set is that of the metadata of the issuer.
	URL string `yaml:"url"`
	// CAFile contains the CA certificates of the server, PEM; by default those of the system.
	CAFile string `yaml:"caFile"`
	// TokenFile contains a bearer token, which is only sent to URL.
	TokenFile string `yaml:"tokenFile"`
}
