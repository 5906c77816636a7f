package jwtverify

// KeySource says where the public keys of an issuer are. Without File and URL they are discovered (OpenID Connect Discovery).
type KeySource struct {
	File string `yaml:"file"`
	URL  string `yaml:"url"`
	// CAFile has the certificates that the server's is checked against, PEM; by default those of the system.
	CAFile string `yaml:"caFile"`
	// TokenFile has a token to read the keys with. It goes to URL alone.
	TokenFile string `yaml:"tokenFile"`
}
