package oauth2

import (
	"encoding/json"
	"testing"

	"github.com/keywright/keywright/issuer/config"
)

// Groups and permissions are lists, also where there is one, and nothing of the directory is changed.
func TestGroupsAndPermissionsAreLists(t *testing.T) {
	attributes := map[string]any{"permissions": "read", "groups": []string{"a"}, "role": "x"}
	for want, claims := range map[string]config.Claims{
		`{"groups":["a"],"permissions":["read"],"role":"x"}`: nil,
		`{"groups":["x"],"permissions":["read"]}`:            {"groups": "role", "permissions": "permissions"},
	} {
		if b, err := json.Marshal(mapClaims(attributes, claims)); err != nil || string(b) != want {
			t.Errorf("%s, want %s", b, want)
		}
	}
	if attributes["permissions"] != "read" {
		t.Errorf("the attributes are now %v", attributes)
	}
}
