package login

import (
	"strings"
	"testing"
)

const stapled = "correct horse, bättery stäple"

// pbkdf2Vectors are hashes of stapled: by Django 3.2.25, by passlib 1.7.4, and as ASP.NET Core Identity lays them out, computed by Python's hashlib.
func pbkdf2Vectors() map[string]string {
	return map[string]string{
		"Django":                "pbkdf2_sha256$260000$pepperSaltAndMore22chr$dubQcZJmpHGXDGWjAmoTWquvDgDTkYtJZ56IbuyKjwo=",
		"passlib":               "$pbkdf2-sha256$310000$AAECAwQFBgcICQoLDA0ODw$na2IChmTvwhihyNNLaruYVCisTaoK8f5AvlB8dF5uv4",
		"passlib with SHA-512":  "$pbkdf2-sha512$210000$AAECAwQFBgcICQoLDA0ODw$cQJGnX/m3y2PaG5ROgB1B4v26.gP4bi50ANfOcB3ePxLMhouXlQeTeP4iVKGmdP2QCkbIdbeEEWLWYSdxWhEZg",
		"ASP.NET Core Identity": "AQAAAAIAAYagAAAAEAABAgMEBQYHCAkKCwwNDg+uUDLlUxOmuhmN1IX/F+iU0DDPcPeRWRvtGo4IBLbR9w==",
		"ASP.NET, with SHA-256": "AQAAAAEAAdTAAAAAEAABAgMEBQYHCAkKCwwNDg8NczsS5nFw4pOiTO/yuC9d3FiQMX27IRWE8pUI0aLxQg==",
	}
}

func TestPBKDF2Vectors(t *testing.T) {
	for name, text := range pbkdf2Vectors() {
		h, err := ParseHash(text)
		if err != nil || h.String() != text || !h.matches(stapled) || h.matches(stapled+" ") || h.matches("") {
			t.Errorf("%s: %v", name, err)
			continue
		}
		nobody := h.dummy()
		if again, err := ParseHash(nobody.String()); err != nil || again.cost() != h.cost() || again.matches(stapled) || nobody.String() == text {
			t.Errorf("%s: as costly as it is %s: %v", name, nobody, err)
		}
	}
}

// The layout of ASP.NET Core Identity, by two hashes of "my password" that its own tests have. Both have too few iterations to be accepted.
func TestASPNetLayout(t *testing.T) {
	for _, text := range []string{
		"AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHw",
		"AQAAAAEAACcQAAAAEAABAgMEBQYHCAkKCwwNDg+yWU7rLgUwPZb1Itsmra7cbxw2EFpwpVFIEtP+JIuUEw==",
	} {
		var h pbkdf2Hash
		if !h.parseASPNet(text) || !h.matches("my password") || h.matches("my passwore") {
			t.Errorf("%s: %+v", text, h)
		}
		if _, err := ParseHash(text); err == nil || !strings.Contains(err.Error(), "100000 to 5000000 iterations") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestPBKDF2Refused(t *testing.T) {
	django, passlib, net := pbkdf2Vectors()["Django"], pbkdf2Vectors()["passlib"], pbkdf2Vectors()["ASP.NET Core Identity"]
	change := func(text, old, with string) string {
		t.Helper()
		if !strings.Contains(text, old) {
			t.Fatalf("%s has no %s", text, old)
		}
		return strings.Replace(text, old, with, 1)
	}
	for _, bad := range []string{
		change(django, "260000", "99999"), change(django, "260000", "0260000"), change(django, "260000", "+260000"), change(django, "260000", "6000000"),
		change(django, "pepperSaltAndMore22chr", "short"), change(django, "pepperSaltAndMore22chr", strings.Repeat("s", 65)),
		change(django, "jwo=", "jwo"), change(django, "jwo=", "jwp="), change(django, "dubQ", "dub\nQ"), django + "$", django + "AAAA",
		change(django, "dubQcZJmpHGXDGWjAmoTWquvDgDTkYtJZ56IbuyKjwo=", "dubQ"), change(django, "sha256", "sha1"),
		change(passlib, "na2I", "na2+"), change(passlib, "5uv4", "5uv5"), change(passlib, "$AAEC", "$$AAEC"), passlib[:len(passlib)-8] + "AAAAAAAAAAAAAAAAAAAA",
		change(net, "AQAAAAI", "AQAAAAA"), change(net, "AQAAAAI", "AQAAAAM"), net[:40], net[:17], net + "\n", net + "AAAA", net[:24] + "." + net[25:], "AQAAAA" + strings.Repeat("A", 300),
	} {
		if h, err := ParseHash(bad); err == nil {
			t.Errorf("%q is %s", bad, h)
		} else if len(bad) > 20 && strings.Contains(err.Error(), bad[len(bad)-12:]) {
			t.Errorf("the error quotes the hash: %v", err)
		}
	}
}
