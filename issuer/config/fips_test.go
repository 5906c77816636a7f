package config_test

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/keywright/keywright/issuer/config"
)

// What Go's FIPS 140-3 module may not do is refused when the configuration is read, by the name of the field, and not with the first token.
func TestEncryptionInFIPSMode(t *testing.T) {
	text := strings.Replace(right, "token:", "token:\n  encryption: [{audience: 'https://shop.example.com', key: "+enc+"}]", 1)
	_, err := config.Parse([]byte(text))
	if fips140.Enforced() {
		if err == nil || !strings.Contains(err.Error(), "token.encryption[0].key: cannot be used by this process") || !strings.Contains(err.Error(), "FIPS") {
			t.Errorf("got %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	again := exec.Command(os.Args[0], "-test.run=^TestEncryptionInFIPSMode$")
	again.Env = append(os.Environ(), "GODEBUG=fips140=only")
	if out, err := again.CombinedOutput(); err != nil {
		t.Errorf("with GODEBUG=fips140=only: %v\n%s", err, out)
	}
}
