package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// withKeyClient adds a client "robot" that authenticates with private_key_jwt, and returns its key.
func (w *world) withKeyClient() jose.JSONWebKey {
	w.Helper()
	k := jwkOf(w.T, "ES256", newKey(w.T))
	public := k.Public()
	text, err := public.MarshalJSON()
	w.must(err)
	w.settings.write(map[string]string{"issuer.yaml": w.config() + "- {id: robot, grantTypes: [client_credentials], publicKeys: [" + string(text) + "]}\n"})
	return k
}

func (w *world) assertion(k jose.JSONWebKey, claims string) string {
	w.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.Algorithm), Key: k}, nil)
	w.must(err)
	signed, err := signer.Sign([]byte(claims))
	w.must(err)
	compact, err := signed.CompactSerialize()
	w.must(err)
	return compact
}

func assertionClaims(id string) string {
	return fmt.Sprintf(`{"iss":"robot","sub":"robot","aud":%q,"jti":%q,"exp":%d}`, issuerURL, id, time.Now().Add(time.Minute).Unix())
}

// A client whose library sends the URL of the token endpoint as aud is told so in the configuration, and then that is the only one.
func TestAssertionsForTheTokenEndpoint(t *testing.T) {
	w := prepare(t)
	k := w.withKeyClient()
	public := k.Public()
	text, err := public.MarshalJSON()
	w.must(err)
	w.settings.write(map[string]string{"issuer.yaml": w.config() + "- {id: robot, assertionAudience: tokenEndpoint, grantTypes: [client_credentials], publicKeys: [" + string(text) + "]}\n"})
	w.useKey("ES256", newKey(t))
	w.start()
	for claims, want := range map[string]int{
		assertionClaims("1"): http.StatusUnauthorized, strings.Replace(assertionClaims("2"), issuerURL, issuerURL+"/token", 1): http.StatusOK,
	} {
		r := w.post(form("grant_type", "client_credentials", "client_assertion_type", assertionType, "client_assertion", w.assertion(k, claims)))
		if r.status != want {
			t.Errorf("%s: %d %s", claims, r.status, r.body)
		}
	}
}

func TestPrivateKeyJWT(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	k := w.withKeyClient()
	w.useKey("ES256", newKey(t))
	w.start()
	request := func(assertion string, more ...string) string {
		return form(append([]string{
			"grant_type", "client_credentials", "client_assertion_type", assertionType, "client_assertion", assertion,
		}, more...)...)
	}
	good := w.assertion(k, assertionClaims("1"))
	r, _ := w.decided(request(good))
	if r.status != http.StatusOK {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if token := w.verify(r.fields["access_token"].(string), audience); token.Subject() != "client:robot" {
		t.Errorf("it is for %s", token.Subject())
	}
	if r, _ := w.decided(request(w.assertion(k, assertionClaims("2")), "client_id", "robot")); r.status != http.StatusOK {
		t.Errorf("with a client_id: %s", r.body)
	}
	if r, _ := w.decided(request(w.assertion(k, assertionClaims(strings.Repeat("x", 255))))); r.status != http.StatusOK {
		t.Errorf("with the longest jti: %s", r.body)
	}
	with := func(was, is string) string {
		changed := strings.Replace(assertionClaims("3"), was, is, 1)
		if changed == assertionClaims("3") {
			t.Fatalf("%s changes nothing", was)
		}
		return w.assertion(k, changed)
	}
	for name, c := range map[string]struct {
		form, code, reason string
	}{
		"a replay":               {request(good), "invalid_client", "used before"},
		"another key":            {request(w.assertion(jwkOf(t, "ES256", newKey(t)), assertionClaims("4"))), "invalid_client", "its key is unknown"},
		"another issuer":         {request(with(`"iss":"robot"`, `"iss":"x"`)), "invalid_client", "its iss"},
		"another audience":       {request(with(issuerURL, issuerURL+"/token")), "invalid_client", "its aud"},
		"two audiences":          {request(with(`"aud":"`+issuerURL+`"`, `"aud":["`+issuerURL+`","x"]`)), "invalid_client", "its aud"},
		"no jti":                 {request(with(`"jti":"3",`, "")), "invalid_client", "its jti is missing"},
		"a long jti":             {request(w.assertion(k, assertionClaims(strings.Repeat("x", 256)))), "invalid_client", "or longer than 255"},
		"too long a life":        {request(with(`"exp":`, `"exp":1`)), "invalid_client", "its exp is more than"},
		"another subject":        {request(with(`"sub":"robot"`, `"sub":"batch"`), "client_id", "robot"), "invalid_client", "its sub is not the client"},
		"an unknown client":      {request(with(`"sub":"robot"`, `"sub":"x"`)), "invalid_client", "unknown client"},
		"a client with a secret": {request(with(`"sub":"robot"`, `"sub":"batch"`)), "invalid_client", "another authentication method"},
		"no JWT":                 {request("x"), "invalid_client", "compact form"},
		"no subject":             {request(w.assertion(k, "{}")), "invalid_client", "no sub"},
		"a secret beside":        {request(w.assertion(k, assertionClaims("5")), "client_secret", "x"), "invalid_request", "one method"},
		"another type":           {form("grant_type", "client_credentials", "client_assertion_type", "x", "client_assertion", good), "invalid_request", "client_assertion_type"},
		"no assertion":           {form("grant_type", "client_credentials", "client_assertion_type", assertionType), "invalid_request", "client_assertion_type"},
		"a secret instead":       {form("grant_type", "client_credentials", "client_id", "robot", "client_secret", "x"), "invalid_client", "another authentication method"},
	} {
		if r, reason := w.decided(c.form); r.fields["error"] != c.code || !strings.Contains(reason, c.reason) {
			t.Errorf("%s: %d %s, because %q", name, r.status, r.body, reason)
		}
	}
	if strings.Contains(w.audit.String(), good) {
		t.Error("the audit log has the assertion")
	}
}
