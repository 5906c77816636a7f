package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/keywright/keywright/issuer/token"
)

// A claim has the digits of the list of users, and the deepest claims that the issuer takes are those that the verifier does.
func TestClaimsOfTheListReachTheService(t *testing.T) {
	w := prepare(t)
	deep := strings.Repeat("{a: ", token.MaxDepth-1) + "1" + strings.Repeat("}", token.MaxDepth-1)
	w.users.write(map[string]string{"users.yaml": usersFile(fmt.Sprintf(
		"- name: dave\n  subject: d4ve\n  passwordHash: %q\n  claims: {uid: 9007199254740993, deep: %s}\n", aliceHash, deep))})
	w.useKey("ES256", newKey(t))
	w.start()
	r := w.post(form("grant_type", "password", "client_id", "web", "username", "dave", "password", password))
	if r.status != http.StatusOK {
		t.Fatalf("%d %s", r.status, r.body)
	}
	var claims struct {
		UID int64 `json:"uid"`
	}
	w.must(w.verify(r.fields["access_token"].(string), audience).Claims(&claims))
	if claims.UID != 9007199254740993 {
		t.Errorf("uid is %d", claims.UID)
	}
}

// Numbers of a token that is exchanged keep their digits, in an expression and in the new token.
func TestClaimsOfAForeignTokenKeepTheirDigits(t *testing.T) {
	w := prepare(t)
	p := newProvider(w)
	w.settings.write(map[string]string{"issuer.yaml": strings.NewReplacer(
		"+ claims.sub'", "+ string(claims.project)'", "team: 'claims.?team'", "project: claims.project",
	).Replace(p.config())})
	w.useKey("ES256", newKey(t))
	w.start()
	for _, project := range []json.Number{"1000000", "9007199254740992", "9007199254740993"} {
		r := w.post(exchangeForm("pods", p.token(map[string]any{"project": project})))
		if r.status != http.StatusOK {
			t.Fatalf("%d %s", r.status, r.body)
		}
		got := w.verify(r.fields["access_token"].(string), audience)
		var claims struct {
			Project int64 `json:"project"`
		}
		w.must(got.Claims(&claims))
		if !strings.HasSuffix(got.Subject(), "/"+project.String()) || fmt.Sprint(claims.Project) != project.String() {
			t.Errorf("%s is %d of %s", project, claims.Project, got.Subject())
		}
	}
	if r, reason := w.decided(exchangeForm("pods", p.token(map[string]any{"project": json.Number("123456789012345678901234567890")}))); r.status == http.StatusOK {
		t.Errorf("a number that cannot be kept: %s %s", r.body, reason)
	}
}
