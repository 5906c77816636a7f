package clients_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/api/issuerfiles"
)

// The example of the documentation stays logged in, and whoever steals what a script can read has nothing that works elsewhere.
func TestBrowserSession(t *testing.T) {
	needsChromium(t)
	a := newAuthority(t)
	for story, c := range stories() {
		t.Run(story, func(t *testing.T) {
			seen := newStage(t, a, c.lifetime).play(story)
			for what, want := range c.want {
				if seen[what] != want {
					t.Errorf("%s: %v, want %v", what, seen[what], want)
				}
			}
		})
	}
}

// The table of the documentation names every story, and no other.
func TestStoriesOfThePage(t *testing.T) {
	told := stories()
	named := map[string]bool{}
	for _, match := range regexp.MustCompile("`TestBrowserSession/([a-z]+)`").FindAllStringSubmatch(browsersPage(t), -1) {
		named[match[1]] = true
		if _, ok := told[match[1]]; !ok {
			t.Errorf("the page names %s", match[0])
		}
	}
	for story := range told {
		if !named[story] {
			t.Errorf("the page does not name %s", story)
		}
	}
}

// story is what session.mjs must see.
type story struct {
	// lifetime is that of access tokens, 5m if empty.
	lifetime string
	want     map[string]any
}

func stories() map[string]story {
	const refused = "InvalidAccessError"
	return map[string]story{
		"reload": {want: map[string]any{"answers": "password 200", "afterwards": "no password"}},
		"tabs":   {want: map[string]any{"answers": "password 200," + onceMore, "token": "another"}},
		"clock": {want: map[string]any{
			"ahead": "password 400,password 200," + onceMore, "behind": "password 400,password 200," + onceMore, "corrected": "refreshed",
		}},
		"service":    {},
		"issuer":     {want: map[string]any{"token": "another"}},
		"expiry":     {lifetime: "5s", want: map[string]any{"form": "hidden", "passwords": 1.0}},
		"lag":        {want: map[string]any{"trouble": "the key of this session has not reached this issuer yet: try again in 5 s", "wait": 5000.0, "sid": "the same"}},
		"rotation":   {want: map[string]any{"sid": "the same"}},
		"revocation": {want: map[string]any{"copy": 401.0, "left": "nothing"}},
		"logout":     {want: map[string]any{"requests": 0.0, "answers": "password 200," + onceMore, "left": "nothing"}},
		"csrf":       {want: map[string]any{"form": 401.0, "link": 401.0, "cookies": 0.0}},
		"memory":     {want: map[string]any{"left": "nothing"}},
		"stolen": {want: map[string]any{
			"exports": refused, "written": "{}", "withoutProof": "invalid_dpop_proof", "anotherKey": "invalid_grant", "again": "invalid_dpop_proof",
			"anotherURL": "invalid_dpop_proof", "forLater": "use_dpop_nonce", "refreshTokenAtService": 401.0,
			// The price of Bearer tokens, and of a page in which a foreign script runs.
			"accessTokenAtService": 200.0, "usedHere": "issued", "preparedHere": "issued",
		}},
	}
}

// onceMore is the refresh of a browser whose clock is off, also because the story moved it: it is asked for a nonce.
const onceMore = "refresh_token 400,refresh_token 200"

// stage is all that a story needs.
type stage struct {
	*testing.T
	keys        *keyring
	issuer      *replica
	shop        *httptest.Server
	greets      http.Handler
	environment []string
}

func newStage(t *testing.T, a *authority, lifetime string) *stage {
	t.Helper()
	return newStageBehind(t, a, lifetime, nil)
}

// newStageBehind is a stage whose issuer is behind a door, if there is one.
func newStageBehind(t *testing.T, a *authority, lifetime string, d *door) *stage {
	t.Helper()
	s := &stage{T: t, keys: newKeyring(t)}
	s.keys.sealing = issuerfiles.SealingKeys{newSealingKey(t, 100)}
	s.keys.write(t)
	var pages site
	app := httptest.NewTLSServer(&pages)
	t.Cleanup(app.Close)
	o := options{server: "  allowedOrigins: [" + app.URL + "]", lifetime: lifetime, clients: documentedClient(t)}
	if d != nil {
		o.issuer, o.server = d.url, doorSettings+o.server
	}
	s.issuer = startIssuer(t, a, s.keys, o)
	if d != nil {
		d.open(t, a, s.issuer)
	}
	s.greets = greeter(t, "shop", s.issuer.url, app.URL, s.keys)
	s.shop = httptest.NewTLSServer(s.greets)
	t.Cleanup(func() { s.shop.Close() })
	warehouse := newService(t, "warehouse", s.issuer.url, app.URL, s.keys)
	pages.policy = policy(t, s.issuer.url, s.shop.URL, warehouse.URL)
	pages.config = fmt.Sprintf(`{"issuer":%q,"clientID":"spa","services":{"shop":%q,"warehouse":%q}}`, s.issuer.url, s.shop.URL, warehouse.URL)
	s.environment = append(browserEnvironment(), "APP="+app.URL, "ISSUER="+s.issuer.url, "SHOP="+s.shop.URL, "PROFILE="+t.TempDir())
	return s
}

// documentedClient is the one of the documentation.
func documentedClient(t *testing.T) string {
	t.Helper()
	_, rest, found := strings.Cut(browsersPage(t), "```yaml\nclients:\n")
	text, _, _ := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the documentation has no client")
	}
	return text
}

// newSealingKey makes a key that waits, or that is in use if it is the first.
func newSealingKey(t *testing.T, number int64) issuerfiles.SealingKey {
	t.Helper()
	k := issuerfiles.SealingKey{Number: number, Secret: make([]byte, issuerfiles.SealingSecretBytes), PreparedAt: time.Now(), MaxRefreshLifetime: 12 * time.Hour}
	_, err := rand.Read(k.Secret)
	must(t, err)
	if number == 100 {
		k.UsedAt = k.PreparedAt
	}
	return k
}

// play has a browser go through a story, does what that asks for, and returns what was seen.
func (s *stage) play(story string) map[string]any {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "session.mjs", story)
	cmd.Env = append(os.Environ(), s.environment...)
	var errs strings.Builder
	cmd.Stderr = &errs
	in, err := cmd.StdinPipe()
	must(s, err)
	out, err := cmd.StdoutPipe()
	must(s, err)
	must(s, cmd.Start())
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	var seen map[string]any
	for lines.Scan() {
		var line struct {
			Do, Value string
			Seen      map[string]any
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			s.Errorf("%s: %v", lines.Text(), err)
			break
		}
		if seen = line.Seen; seen != nil {
			break
		}
		s.do(line.Do, line.Value)
		_, _ = io.WriteString(in, "done\n")
	}
	if err := cmd.Wait(); err != nil || seen == nil {
		s.Fatalf("%v\n%s\nthe issuer:\n%s", err, errs.String(), s.issuer.log())
	}
	return seen
}

// do is what stories ask for.
func (s *stage) do(what, value string) {
	s.Helper()
	switch what {
	case "stop the issuer":
		must(s, s.issuer.terminate())
	case "start the issuer":
		s.issuer.start()
	case "stop the shop":
		s.shop.Close()
	case "start the shop":
		s.openShop()
	case "end sid", "end sub":
		s.keys.revoked.ClockSkew = time.Minute
		s.keys.revoked = s.keys.revoked.With(issuerfiles.Digest(strings.TrimPrefix(what, "end "), value), time.Now())
		s.keys.write(s)
	default:
		s.changeKeys(what)
	}
}

func (s *stage) changeKeys(what string) {
	s.Helper()
	switch what {
	case "prepare a signing key and a sealing key":
		s.keys.sealing = append(s.keys.sealing, newSealingKey(s.T, 200))
		s.keys.prepare(s)
		return
	case "activate both":
		s.keys.sealing[1].UsedAt = time.Now()
	case "use another sealing key":
		s.keys.sealing = append(s.keys.sealing, newSealingKey(s.T, 200))
		s.keys.sealing[1].UsedAt = time.Now()
	case "remove the old ones":
		s.keys.sealing = s.keys.sealing[1:]
		s.keys.retire(s)
		return
	case "lag behind":
		all := s.keys.sealing
		s.keys.sealing = all[:1]
		s.keys.write(s)
		s.keys.sealing = all
		return
	case "catch up":
	default:
		s.Fatalf("a story asks for %q", what)
	}
	s.keys.write(s)
}

// openShop listens where the shop was.
func (s *stage) openShop() {
	s.Helper()
	address := s.shop.Listener.Addr().String()
	var listener net.Listener
	until(s, "listening at "+address, time.Minute, func() bool {
		var err error
		listener, err = net.Listen("tcp", address)
		return err == nil
	})
	s.shop = httptest.NewUnstartedServer(s.greets)
	must(s, s.shop.Listener.Close())
	s.shop.Listener = listener
	s.shop.StartTLS()
}
