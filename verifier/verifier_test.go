package verifier

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// writeSet writes a key set to a file and returns its Source.
func writeSet(t testing.TB, keys ...map[string]any) Source {
	path := filepath.Join(t.TempDir(), "main.json")
	must(0, os.WriteFile(path, setOf(keys...), 0o644))
	return File(path)
}

// testConfig is a Config that works, for a file with all three types of key.
func testConfig(t testing.TB) Config {
	keys := writeSet(t, esKey().jwk(), edwardsKey().jwk(), rsaTestKey().jwk())
	return Config{
		Issuers: map[string]Source{testIssuer: keys}, Audience: testAudience,
		Now: func() time.Time { return testNow }, Logger: (&log{}).logger(),
	}
}

func newVerifier(t testing.TB, config Config) *Verifier {
	t.Helper()
	v, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func TestNewRefusesConfigs(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"zero":                    func(c *Config) { *c = Config{} },
		"Issuers":                 func(c *Config) { c.Issuers = nil },
		"Issuers without a name":  func(c *Config) { c.Issuers[" "] = c.Issuers[testIssuer] },
		"Issuers without source":  func(c *Config) { c.Issuers[testIssuer] = nil },
		"Audience":                func(c *Config) { c.Audience = "" },
		"Audience of spaces":      func(c *Config) { c.Audience = " " },
		"MaxStaleness a second":   func(c *Config) { c.MaxStaleness = time.Second },
		"MaxStaleness negative":   func(c *Config) { c.MaxStaleness = -1 },
		"Type a list":             func(c *Config) { c.Type = "at+jwt, jwt" },
		"Type of another tree":    func(c *Config) { c.Type = "text/plain" },
		"Type application/":       func(c *Config) { c.Type = "application/" },
		"Type outside ASCII":      func(c *Config) { c.Type = "at+jwt\u212a" },
		"ClockSkew negative":      func(c *Config) { c.ClockSkew = -1 },
		"ClockSkew a day":         func(c *Config) { c.ClockSkew = 24 * time.Hour },
		"MaxTokenBytes negative":  func(c *Config) { c.MaxTokenBytes = -1 },
		"MaxTokenBytes too large": func(c *Config) { c.MaxTokenBytes = largestToken + 1 },
		"PollInterval negative":   func(c *Config) { c.PollInterval = -1 },
		"PollInterval an hour":    func(c *Config) { c.PollInterval = time.Hour },
	} {
		config := testConfig(t)
		change(&config)
		v, err := New(config)
		if err == nil {
			v.Close()
			t.Errorf("%s: no error", name)
			continue
		}
		if field, _, _ := strings.Cut(name, " "); name != "zero" && !strings.Contains(err.Error(), field) {
			t.Errorf("%s: the error does not name the field: %v", name, err)
		}
	}
}

func TestNewRefusesFiles(t *testing.T) {
	directory := t.TempDir()
	for name, content := range map[string]string{"gone.json": "", "empty.json": "", "object.json": "{}"} {
		path := filepath.Join(directory, name)
		if name != "gone.json" {
			must(0, os.WriteFile(path, []byte(content), 0o644))
		}
		newFails(t, File(path), path)
	}
	newFails(t, File(directory), "not its directory")
	newFails(t, File(""), "path")
}

// newFails checks that New refuses a source, and says what is wrong, and for which issuer.
func newFails(t *testing.T, source Source, says string) {
	t.Helper()
	config := testConfig(t)
	config.Issuers["https://other.example.com"] = source
	v, err := New(config)
	if err == nil {
		v.Close()
		t.Errorf("%s: no error", source)
	} else if !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "https://other.example.com") {
		t.Errorf("%s: the error does not say %q: %v", source, says, err)
	}
}

func TestVerifyAcceptsEveryType(t *testing.T) {
	v := newVerifier(t, testConfig(t))
	for _, key := range []testKey{esKey(), edwardsKey(), rsaTestKey()} {
		token, err := v.Verify(t.Context(), key.good())
		if err != nil || token.KeyID() != key.id || token.Subject() != "alice" {
			t.Errorf("%s: %v, %v", key.id, token, err)
		}
	}
}

func TestVerifyAppliesItsConfig(t *testing.T) {
	for _, row := range []struct {
		name           string
		change         func(*Config)
		header, claims string
		want           error
	}{
		{"defaults", nil, goodHeader, goodClaims, nil},
		{"issuer", func(c *Config) { c.Issuers = map[string]Source{testIssuer + "/": c.Issuers[testIssuer]} }, goodHeader, goodClaims, ErrWrongIssuer},
		{"audience", func(c *Config) { c.Audience = "c" }, goodHeader, goodClaims, ErrWrongAudience},
		{"second audience", func(c *Config) { c.Audience = "b" }, goodHeader, goodClaims, nil},
		{"default type", nil, `{"alg":"ES256","kid":"es","typ":"JWT"}`, goodClaims, ErrWrongType},
		{"no type", nil, `{"alg":"ES256","kid":"es"}`, goodClaims, ErrWrongType},
		{"another type", func(c *Config) { c.Type = "Application/JWT" }, `{"alg":"ES256","kid":"es","typ":"JWT"}`, goodClaims, nil},
		{"no type, which JWT may leave out", func(c *Config) { c.Type = "JWT" }, `{"alg":"ES256","kid":"es"}`, goodClaims, nil},
		{"a type that is empty, likewise", func(c *Config) { c.Type = "JWT" }, `{"alg":"ES256","kid":"es","typ":""}`, goodClaims, nil},
		{"a type with a space, not likewise", func(c *Config) { c.Type = "JWT" }, `{"alg":"ES256","kid":"es","typ":" "}`, goodClaims, ErrWrongType},
		{"no type, where another one is asked for", func(c *Config) { c.Type = "application/secevent+jwt" }, `{"alg":"ES256","kid":"es"}`, goodClaims, ErrWrongType},
		{"an access token is of another type", func(c *Config) { c.Type = "JWT" }, goodHeader, goodClaims, ErrWrongType},
		{"default skew", at(testNow.Add(10*time.Minute + 59*time.Second)), goodHeader, goodClaims, nil},
		{"default skew over", at(testNow.Add(11 * time.Minute)), goodHeader, goodClaims, ErrExpired},
		{"smaller skew", both(skew(time.Second), at(testNow.Add(10*time.Minute+time.Second))), goodHeader, goodClaims, ErrExpired},
		{"before", at(testNow.Add(-time.Minute)), goodHeader, goodClaims, nil},
		{"too long before", at(testNow.Add(-time.Minute - 1)), goodHeader, goodClaims, ErrNotYetValid},
		{"default size", nil, goodHeader, goodClaims + strings.Repeat(" ", 6000), ErrMalformed},
		{"larger size", func(c *Config) { c.MaxTokenBytes = 10000 }, goodHeader, goodClaims + strings.Repeat(" ", 6000), nil},
		{"not a token", nil, "", "", ErrMalformed},
	} {
		config := testConfig(t)
		if row.change != nil {
			row.change(&config)
		}
		v := newVerifier(t, config)
		token := esKey().sign(row.header, row.claims)
		_, err := v.Verify(t.Context(), token)
		wantError(t, row.name, err, row.want, token)
	}
}

func at(moment time.Time) func(*Config) {
	return func(c *Config) { c.Now = func() time.Time { return moment } }
}

func skew(d time.Duration) func(*Config) { return func(c *Config) { c.ClockSkew = d } }

func both(first, second func(*Config)) func(*Config) {
	return func(c *Config) { first(c); second(c) }
}

// The bound is exact: a token of MaxTokenBytes is looked at, one byte more is not.
func TestVerifySizeBound(t *testing.T) {
	token := esKey().good()
	for bound, want := range map[int]error{len(token): nil, len(token) - 1: ErrMalformed} {
		config := testConfig(t)
		config.MaxTokenBytes = bound
		_, err := newVerifier(t, config).Verify(t.Context(), token)
		wantError(t, "bound", err, want, token)
	}
}

func TestClosedAndZeroVerifier(t *testing.T) {
	closed := newVerifier(t, testConfig(t))
	closed.Close()
	closed.Close()
	for name, v := range map[string]*Verifier{"closed": closed, "zero": {}} {
		_, err := v.Verify(t.Context(), esKey().good())
		wantError(t, name, err, ErrClosed, "")
		v.KeySets()
		v.Close()
	}
}

// In the bubble of synctest the real ticker runs on a clock that moves when all goroutines wait; the bubble ends only
// when no goroutine is left, and fails if one waits for ever.
func TestFollowsByItselfUntilClosed(t *testing.T) {
	before, after := setOf(esKey().jwk()), setOf(otherKey().jwk()) // outside: a bubble has no entropy in FIPS mode
	synctest.Test(t, func(t *testing.T) {
		mounted := newVolume(t, before)
		v, err := New(Config{Issuers: map[string]Source{testIssuer: File(mounted.path())}, Audience: testAudience, Logger: (&log{}).logger()})
		if err != nil {
			t.Fatal(err)
		}
		mounted.update(after, testNow)
		second := time.NewTimer(time.Second)
		<-second.C
		synctest.Wait()
		if got := v.KeySets()[0].KeyIDs; len(got) != 1 || got[0] != "other" {
			t.Errorf("after a second the keys are %v", got)
		}
		v.Close()
	})
}

// Readers and a file that keeps changing: for the race detector, and never a wrong answer.
func TestVerifyWhileTheFileChanges(t *testing.T) {
	es, other := esKey(), otherKey()
	sets := [][]byte{setOf(es.jwk()), setOf(es.jwk(), other.jwk()), []byte("{")}
	mounted := newVolume(t, sets[0])
	f := follow(t, mounted.path())
	done := make(chan struct{})
	results := make(chan error, 4)
	for range cap(results) {
		go func() {
			for {
				select {
				case <-done:
					results <- nil
					return
				default:
				}
				if _, err := f.Verify(t.Context(), es.good()); err != nil {
					results <- err
					return
				}
			}
		}()
	}
	for i := range 60 {
		mounted.update(sets[i%len(sets)], testNow)
		f.poll()
	}
	close(done)
	for range cap(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

// Whatever a service logs of its Verifier, no part of a token is in it.
func TestLogsNoToken(t *testing.T) {
	output := &log{}
	config := testConfig(t)
	config.Logger = output.logger()
	v := newVerifier(t, config)
	canary := testKey{"canary-kid", jose.ES256, esKey().private}
	tokens := []string{canary.good(), esKey().sign(goodHeader, `{"sub":"canary","sub":"canary"}`), "canary.canary.canary"}
	for _, token := range tokens {
		recordRequest(v, "Bearer "+token)
		if _, err := v.Verify(t.Context(), token); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("error %v", err)
		}
	}
	if bytes.Contains(output.text.Bytes(), []byte("canary")) || output.count("token refused") != len(tokens) {
		t.Errorf("log: %s", output.text.String())
	}
}
