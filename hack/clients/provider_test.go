package clients_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/fetcher/source"
	"github.com/keywright/keywright/controllers/jwk"
	"github.com/keywright/keywright/controllers/rotation"
	"github.com/keywright/keywright/verifier"
)

// provider is an OpenID provider of others, which is started again with other keys.
type provider struct {
	*testing.T
	a    *authority
	port int
	stop func()
}

// rotate starts the provider with these private keys. The first one signs.
func (p *provider) rotate(keys ...json.RawMessage) {
	p.Helper()
	if p.stop != nil {
		p.stop()
	}
	read := func(path string) string {
		b, err := os.ReadFile(path)
		must(p, err)
		return string(b)
	}
	in, err := json.Marshal(map[string]any{
		"issuer": p.issuer(), "host": "127.0.0.1", "port": p.port, "cert": read(p.a.crt()), "key": read(p.a.key()),
		"jwks": map[string]any{"keys": keys}, "audience": audience, "lifetime": 60,
	})
	must(p, err)
	ctx, cancel := context.WithCancel(p.Context())
	cmd := exec.CommandContext(ctx, "node", "provider.mjs")
	cmd.Stdin = bytes.NewReader(in)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	must(p, err)
	must(p, cmd.Start())
	p.stop = func() { cancel(); _ = cmd.Wait() }
	p.Cleanup(p.stop)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "listening" {
			return
		}
	}
	p.Fatalf("the provider ended: %s", errs.String())
}

// token returns an access token of the provider.
func (p *provider) token() string {
	p.Helper()
	request, err := http.NewRequestWithContext(p.Context(), http.MethodPost, p.issuer()+"/token", strings.NewReader(url.Values{
		"grant_type": {"client_credentials"}, "scope": {"read"},
	}.Encode()))
	must(p, err)
	request.SetBasicAuth("batch", "secret")
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := p.a.client().Do(request)
	must(p, err)
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Token string `json:"access_token"`
		Error string `json:"error_description"`
	}
	must(p, json.NewDecoder(response.Body).Decode(&answer))
	if answer.Token == "" {
		p.Fatalf("no token: %s %s", response.Status, answer.Error)
	}
	return answer.Token
}

func (p *provider) issuer() string { return fmt.Sprintf("https://127.0.0.1:%d", p.port) }

// What the fetcher reads of an OpenID provider of others verifies its tokens, through a rotation, and not those of a key that was withdrawn.
func TestKeysOfAnOpenIDProvider(t *testing.T) {
	needsPackage(t, "oidc-provider")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	must(t, listener.Close())
	p := &provider{T: t, a: newAuthority(t), port: port}
	var keys []json.RawMessage
	for _, alg := range []string{"ES256", "RS256"} {
		m, err := jwk.Generate(rotation.KeySpec{Algorithm: alg, RSAKeySize: 2048})
		must(t, err)
		keys = append(keys, json.RawMessage(m.Private))
	}
	p.rotate(keys[0])
	path := filepath.Join(t.TempDir(), "provider.json")
	fetch := func() {
		t.Helper()
		ca, err := os.ReadFile(p.a.crt())
		must(t, err)
		spec := &keywrightv1alpha1.TrustedIssuerSpec{Issuer: p.issuer()}
		spec.Keys.Discovery, spec.Keys.CABundle = &keywrightv1alpha1.Discovery{}, string(ca)
		fetched, err := source.Read(t.Context(), spec, nil, "")
		must(t, err)
		if len(fetched.LeftOut) > 0 {
			t.Errorf("left out: %v", fetched.LeftOut)
		}
		must(t, os.WriteFile(path+".new", fetched.File, 0o600))
		must(t, os.Rename(path+".new", path))
	}
	fetch()
	v, err := verifier.New(verifier.Config{
		Issuers: map[string]verifier.Source{p.issuer(): verifier.File(path)}, Audience: audience, PollInterval: 100 * time.Millisecond,
	})
	must(t, err)
	defer v.Close()
	before := p.token()
	if _, err := v.Verify(t.Context(), before); err != nil {
		t.Error(err)
	}
	p.rotate(keys[1], keys[0]) // the next one signs, and the one before it is still published
	fetch()
	after := p.token()
	for name, compact := range map[string]string{"before the rotation": before, "after it": after} {
		until(t, "accepting the token of "+name, 10*time.Second, func() bool { _, err := v.Verify(t.Context(), compact); return err == nil })
	}
	p.rotate(keys[1])
	fetch()
	until(t, "refusing the token of a key that was withdrawn", 10*time.Second, func() bool { _, err := v.Verify(t.Context(), before); return err != nil })
	if _, err := v.Verify(t.Context(), after); err != nil {
		t.Error(err)
	}
	p.stop() // away: the file is all that verifiers need
	if _, err := v.Verify(t.Context(), after); err != nil {
		t.Error(err)
	}
	if parsed, err := jose.ParseSignedCompact(after, []jose.SignatureAlgorithm{jose.RS256}); err != nil || parsed.Signatures[0].Header.Algorithm != "RS256" {
		t.Errorf("%v %v", parsed, err)
	}
}
