package server_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestAudienceIsNarrowed(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	two := `[https://shop.example.com, "urn:warehouse"]`
	w.settings.write(map[string]string{"issuer.yaml": strings.Replace(w.config(), "  audiences: [https://shop.example.com]", "  audiences: "+two, 1)})
	w.useKey("ES256", newKey(t))
	w.start()
	for _, c := range []struct {
		ask  []string
		want []string
		code string
	}{
		{nil, []string{"https://shop.example.com", "urn:warehouse"}, ""},
		{[]string{"resource", "https://shop.example.com"}, []string{"https://shop.example.com"}, ""},
		{[]string{"audience", "urn:warehouse"}, []string{"urn:warehouse"}, ""},
		{[]string{"resource", "urn:warehouse", "resource", "https://shop.example.com"}, []string{"https://shop.example.com", "urn:warehouse"}, ""},
		{[]string{"resource", "urn:warehouse", "audience", "urn:warehouse"}, []string{"urn:warehouse"}, ""},
		{[]string{"resource", "https://other.example.com"}, nil, "invalid_target"},
		{[]string{"resource", "https://shop.example.com", "resource", "https://other.example.com"}, nil, "invalid_target"},
		{[]string{"resource", "https://shop.example.com#x"}, nil, "invalid_target"},
		{[]string{"resource", "shop"}, nil, "invalid_target"},
		{[]string{"audience", "shop"}, nil, "invalid_target"},
	} {
		r := w.post(alice(c.ask...))
		if got, _ := r.fields["error"].(string); got != c.code {
			t.Errorf("%v: %d %s", c.ask, r.status, r.body)
		}
		if c.code == "" {
			if got := w.verify(r.fields["access_token"].(string), c.want[0]).Audience(); !slices.Equal(got, c.want) {
				t.Errorf("%v gives %v", c.ask, got)
			}
		}
	}
}

func TestClaimsAreMappedPerClient(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.settings.write(map[string]string{"issuer.yaml": w.config() +
		"- {id: few, public: true, grantTypes: [password], claims: {mail: email, roles: groups, none: absent}}\n" +
		"- {id: none, public: true, grantTypes: [password], claims: {}}\n"})
	w.useKey("ES256", newKey(t))
	w.start()
	claims := func(client string) map[string]any {
		r := w.post(form("grant_type", "password", "client_id", client, "username", "alice", "password", password))
		if r.status != http.StatusOK {
			t.Fatal(r.body)
		}
		var all map[string]any
		w.must(w.verify(r.fields["access_token"].(string), audience).Claims(&all))
		return all
	}
	few := claims("few")
	if few["mail"] != "alice@example.com" || few["email"] != nil || few["permissions"] != nil || few["none"] != nil {
		t.Errorf("claims %v", few)
	}
	if roles, _ := few["roles"].([]any); len(roles) != 1 || roles[0] != "staff" {
		t.Errorf("roles %v", few["roles"])
	}
	if all := claims("web"); all["email"] != "alice@example.com" || all["permissions"] == nil {
		t.Errorf("a client that names none: %v", all)
	}
	if none := claims("none"); none["email"] != nil {
		t.Errorf("a client that names an empty mapping: %v", none)
	}
}

func TestTooLargeTokenIsRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	photo := strings.Repeat("x", 3000)
	w.users.write(map[string]string{"users.yaml": strings.Replace(usersFile(""), "claims: {", "claims: {photo: "+photo+", ", 1)})
	w.useKey("ES256", newKey(t))
	w.start()
	r := w.post(alice())
	description, _ := r.fields["error_description"].(string)
	if r.status != http.StatusInternalServerError || r.fields["error"] != "server_error" || !strings.Contains(description, "photo") || strings.Contains(r.body, "xxx") {
		t.Errorf("%d %s", r.status, r.body)
	}
	if !strings.Contains(w.log.String(), "photo, with 3002") {
		t.Error("the log does not say which claim is large")
	}
	w.users.write(map[string]string{"users.yaml": strings.Replace(usersFile(""), "claims: {", "claims: {photo: "+photo[:1500]+", ", 1)})
	w.until("a smaller one fits", func() bool { return w.post(alice()).status == http.StatusOK })
}

func TestAuditLogRecordsEveryDecision(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	issued := w.post(alice())
	w.post(form("grant_type", "password", "client_id", "web", "username", "alice", "password", "wrong"))
	w.post(form("grant_type", "password", "client_id", "web", "username", "nobody", "password", "wrong"))
	w.post(form("grant_type", "client_credentials", "client_id", "batch", "client_secret", "wrong"))
	w.until("four lines", func() bool { return strings.Count(w.audit.String(), "\n") == 4 })
	token := w.verify(issued.fields["access_token"].(string), audience)
	want := []map[string]any{
		{"grant": "password", "client": "web", "result": "issued", "subject": "8a2f", "jti": token.ID(), "kid": token.KeyID()},
		{"grant": "password", "client": "web", "result": "invalid_grant", "subject": "8a2f", "reason": "wrong password"},
		{"grant": "password", "client": "web", "result": "invalid_grant", "reason": "unknown user"},
		{"grant": "client_credentials", "client": "batch", "result": "invalid_client", "reason": "wrong client secret"},
	}
	for i, line := range strings.Split(strings.TrimSpace(w.audit.String()), "\n") {
		var got map[string]any
		w.must(json.Unmarshal([]byte(line), &got))
		want[i]["remote"] = "127.0.0.1"
		for _, field := range []string{"time", "level", "msg"} {
			delete(got, field)
		}
		if len(got) != len(want[i]) {
			t.Errorf("line %d: %v", i, got)
		}
		for field, value := range want[i] {
			if got[field] != value {
				t.Errorf("line %d: %s is %v, want %v", i, field, got[field], value)
			}
		}
	}
}
