package server_test

import (
	"net/http"
	"strings"
	"testing"
)

// An expression that has no value for a token refuses it: a claim that a service relies on is never left out in silence.
func TestExpressionsWithoutAValueRefuse(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	p := newProvider(w)
	w.settings.write(map[string]string{"issuer.yaml": strings.NewReplacer(
		"+ claims.sub'", "+ claims.person'", "team: 'claims.?team'", "team: claims.team",
	).Replace(p.config())})
	w.useKey("ES256", newKey(t))
	w.start()
	for name, c := range map[string]struct {
		changes map[string]any
		reason  string
	}{
		"all there":  {map[string]any{"person": "ann"}, ""},
		"no subject": {map[string]any{}, "tokenExchange them: subject: the expression has no value for this token"},
		"no claim":   {map[string]any{"person": "ann", "team": nil}, "claim team of tokenExchange them: the expression has no value for this token"},
	} {
		r, reason := w.decided(exchangeForm("pods", p.token(c.changes)))
		if reason != c.reason || (c.reason == "") != (r.status == http.StatusOK) || (c.reason != "" && r.fields["error"] != "invalid_request") {
			t.Errorf("%s: %d %s, because %q", name, r.status, r.body, reason)
		}
	}
}
