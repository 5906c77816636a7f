package server_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Without what binds it there is no refresh token, and with a stolen one nothing.
func TestRefreshTokenIsBound(t *testing.T) {
	t.Parallel()
	s := newSessions(t)
	p, thief := newProver(t), newProver(t)
	if r := s.logInWith("spa"); r.status != 200 || refreshToken(r) != "" {
		t.Errorf("a login without a proof: %s", r.body)
	}
	if r := s.logInWith("web", proving(p.proof())); r.status != 200 || refreshToken(r) != "" || r.fields["token_type"] != "Bearer" {
		t.Errorf("a client without sessions: %s", r.body)
	}
	token := refreshToken(s.logInWith("spa", proving(p.proof())))
	used := p.proof()
	s.want("its own key", s.refreshWith("spa", token, proving(used)), 200, "")
	for what, c := range map[string]struct {
		client, token string
		edit          []func(*http.Request)
		code          string
	}{
		"no proof":              {"spa", token, nil, "invalid_dpop_proof"},
		"another key":           {"spa", token, []func(*http.Request){proving(thief.proof())}, "invalid_grant"},
		"a proof that was used": {"spa", token, []func(*http.Request){proving(used)}, "invalid_dpop_proof"},
		"two proofs":            {"spa", token, []func(*http.Request){proving(p.proof()), proving(p.proof())}, "invalid_dpop_proof"},
		"another URL":           {"spa", token, []func(*http.Request){proving(p.proof(with("htu", issuerURL+"/jwks")))}, "invalid_dpop_proof"},
		"the URL of the host":   {"spa", token, []func(*http.Request){proving(p.proof(with("htu", s.base+"/token")))}, "invalid_dpop_proof"},
		"another method":        {"spa", token, []func(*http.Request){proving(p.proof(with("htm", "GET")))}, "invalid_dpop_proof"},
		"of the future":         {"spa", token, []func(*http.Request){proving(p.proof(with("iat", time.Now().Add(2*time.Minute).Unix())))}, "use_dpop_nonce"},
		"of the past":           {"spa", token, []func(*http.Request){proving(p.proof(with("iat", time.Now().Add(-2*time.Minute).Unix())))}, "use_dpop_nonce"},
		"a nonce of nobody":     {"spa", token, []func(*http.Request){proving(p.proof(with("nonce", "x")))}, "use_dpop_nonce"},
		"another client":        {"careful", token, []func(*http.Request){proving(p.proof())}, "use_dpop_nonce"},
		"a client that may not": {"web", token, []func(*http.Request){proving(p.proof())}, "unauthorized_client"},
		"the backend":           {"backend", token, []func(*http.Request){proving(p.proof())}, "invalid_grant"},
		"no refresh token":      {"spa", "", []func(*http.Request){proving(p.proof())}, "invalid_request"},
		"cut short":             {"spa", token[:len(token)-4], []func(*http.Request){proving(p.proof())}, "invalid_grant"},
		"too long":              {"spa", token + strings.Repeat("a", 2048), []func(*http.Request){proving(p.proof())}, "invalid_grant"},
		"no token at all":       {"spa", "a.b.c.d.e", []func(*http.Request){proving(p.proof())}, "invalid_grant"},
	} {
		s.want(what, s.refreshWith(c.client, c.token, c.edit...), 400, c.code)
	}
	access, _ := s.logInWith("spa").fields["access_token"].(string)
	s.want("an access token", s.refreshWith("spa", access, proving(p.proof())), 400, "invalid_grant")
	if _, err := s.verifier(audience).Verify(t.Context(), token); err == nil {
		t.Error("a service takes a refresh token")
	}
}

// A client whose clock is wrong gets a nonce, and every replica knows it. It is good for a while, with any iat, once.
func TestNonces(t *testing.T) {
	t.Parallel()
	s := newSessions(t)
	p := newProver(t)
	wrong := with("iat", time.Now().Add(-3*time.Hour).Unix())
	asked := s.logInWith("careful", proving(p.proof()))
	s.want("a client that must use one", asked, 400, "use_dpop_nonce")
	nonce := asked.header.Get("DPoP-Nonce")
	s.want("with the nonce", s.logInWith("careful", proving(p.proof(with("nonce", nonce)))), 200, "")
	proof := p.proof(wrong, with("nonce", nonce))
	s.want("another client, whose clock is hours off", s.logInWith("spa", proving(proof)), 200, "")
	s.want("the same proof", s.logInWith("spa", proving(proof)), 400, "invalid_dpop_proof")
	if s.logInWith("spa").header.Get("DPoP-Nonce") != "" {
		t.Error("a client without proofs gets a nonce")
	}
	if s.logInWith("spa", proving(p.proof())).header.Get("DPoP-Nonce") == "" {
		t.Error("an answer to a proof has no nonce")
	}
	replica := prepareSessions(t)
	replica.sealing, replica.ahead = s.sealing, 5*time.Minute-30*time.Second
	replica.mount()
	replica.start()
	s.want("at another replica, nearly too old", replica.logInWith("spa", proving(p.proof(wrong, with("nonce", nonce)))), 200, "")
	late := prepareSessions(t)
	late.sealing, late.ahead = s.sealing, 6*time.Minute
	late.mount()
	late.start()
	s.want("too old", late.logInWith("spa", proving(p.proof(with("nonce", nonce)))), 400, "use_dpop_nonce")
	other := newSessions(t)
	s.want("of another issuer", other.logInWith("spa", proving(p.proof(with("nonce", nonce)))), 400, "use_dpop_nonce")
}

// Tokens of a client that asks for it are bound to its key, at each grant, and a service wants the proof.
func TestBoundAccessTokens(t *testing.T) {
	t.Parallel()
	s := newSessions(t)
	p := newProver(t)
	s.want("without a proof", s.logInWith("bound"), 400, "invalid_dpop_proof")
	r := s.logInWith("bound", proving(p.proof()))
	token, _ := r.fields["access_token"].(string)
	if r.status != 200 || r.fields["token_type"] != "DPoP" || refreshToken(r) == "" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if _, err := s.verifier(audience).Verify(t.Context(), token); err == nil {
		t.Error("a bound token is accepted as a bearer token")
	}
	jwk := jwkOf(t, "ES256", p.key)
	if !strings.Contains(payloadOf(t, token), `"cnf":{"jkt":"`+jwk.KeyID+`"}`) {
		t.Errorf("it is bound to %s", payloadOf(t, token))
	}
	if again := s.refreshWith("bound", refreshToken(r), proving(p.proof())); again.fields["token_type"] != "DPoP" {
		t.Errorf("refreshed: %s", again.body)
	}
}

// payloadOf are the claims of a token, not verified.
func payloadOf(t *testing.T, token string) string {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(payload)
}
