package login

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// The page has every field of a user, and the Role of the sample.
func TestThePageHasEveryField(t *testing.T) {
	read := func(path ...string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, path...)...))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	page := read("docs", "issuer.md")
	_, users, found := strings.Cut(page, "## Users\n")
	if !found {
		t.Fatal("there is no section on users")
	}
	fields := 0
	for field := range reflect.TypeFor[entry]().Fields() {
		name, has := field.Tag.Lookup("yaml")
		if !has {
			continue
		}
		fields++
		if !strings.Contains(users, "\n| `"+name+"` | ") {
			t.Errorf("the table has no %s", name)
		}
	}
	if fields != 6 {
		t.Errorf("%d fields", fields)
	}
	_, role, _ := strings.Cut(read("config", "samples", "users-keeper.yaml"), "apiVersion:")
	if !strings.Contains(users, "apiVersion:"+role) {
		t.Error("the Role is not that of config/samples/users-keeper.yaml")
	}
}
