package server_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
)

// What an exchange gives ends with what came in, also where the keys had to be asked for and took their time.
func TestExchangedTokenDoesNotOutliveTheSubjectToken(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	p := newProvider(w)
	var slow atomic.Bool
	answer := p.server.Config.Handler
	p.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slow.Load() {
			<-time.After(2 * time.Second)
		}
		answer.ServeHTTP(w, r)
	})
	w.settings.write(map[string]string{"issuer.yaml": p.config()})
	w.useKey("ES256", newKey(t))
	w.start()
	if r := p.exchange(p.token(nil)); r.status != http.StatusOK {
		t.Fatal(r.body)
	}
	p.rotate()
	slow.Store(true)
	end := time.Now().Add(time.Minute).Unix()
	r := p.exchange(p.token(map[string]any{"exp": end}))
	if r.status != http.StatusOK {
		t.Fatal(r.body)
	}
	token := w.verify(r.fields["access_token"].(string), audience)
	var claims jwt.Claims
	w.must(token.Claims(&claims))
	if exp := int64(*claims.Expiry); exp > end || exp < end-10 {
		t.Errorf("it ends %d s after the other", exp-end)
	}
	if r := p.exchange(p.token(map[string]any{"exp": time.Now().Unix()})); r.status != http.StatusBadRequest {
		t.Errorf("within the clock skew: %d", r.status)
	}
}
