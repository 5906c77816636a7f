package config_test

import (
	"strings"
	"testing"

	"github.com/keywright/keywright/issuer/config"
)

// An iss is any StringOrURI (RFC 7519 section 4.1.1) where it need not be asked for its keys.
func TestTrustedIssuersThatAreNoURL(t *testing.T) {
	for _, iss := range []string{"http://adfs.example.com/adfs/services/trust", "spiffe://prod.example.com", "kubernetes/serviceaccount", "urn:x:y"} {
		text := strings.Replace(right, "clients:", exchange("name: x, issuer: '"+iss+"', keys: {file: /keys.json}"), 1)
		if c, err := config.Parse([]byte(text)); err != nil || c.TokenExchange[0].Issuer != iss {
			t.Errorf("%s: %v", iss, err)
		}
	}
}

// A subject that begins with the name of a trusted issuer is one of its tokens.
func TestForeignSubjects(t *testing.T) {
	c, err := config.Parse([]byte(strings.Replace(right, "clients:", exchange("name: cluster, issuer: 'https://x'"), 1)))
	if err != nil {
		t.Fatal(err)
	}
	for subject, want := range map[string]string{"cluster:system:serviceaccount:prod:deployer": "cluster", "cluster:": "cluster", "cluster": "", "clusters:x": "", "me": ""} {
		if got := c.SubjectIssuer(subject); got != want {
			t.Errorf("%s is one of %q, want %q", subject, got, want)
		}
	}
}
