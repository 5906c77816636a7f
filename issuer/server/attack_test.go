package server_test

import (
	"crypto/tls"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func wrong(name string) string {
	return form("grant_type", "password", "client_id", "web", "username", name, "password", "wrong")
}

func from(addresses ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header["X-Forwarded-For"] = addresses }
}

func TestFailuresAreLimitedPerUserAndNetwork(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.settings.write(map[string]string{"issuer.yaml": strings.Replace(w.config(), "server:", "server:\n  trustedProxies: [127.0.0.0/8, 10.0.0.0/8]", 1) +
		"login: {failuresPerUser: {burst: 2, every: 1h}, failuresPerNetwork: {burst: 4, every: 1h}}\n"})
	w.useKey("ES256", newKey(t))
	w.start()
	for range 2 {
		if r := w.post(wrong("alice"), from("192.0.2.1")); r.status != 400 {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	r := w.post(alice(), from("192.0.2.1"))
	if wait, err := strconv.Atoi(r.header.Get("Retry-After")); r.status != 429 || err != nil || wait < 3500 || wait > 3600 {
		t.Errorf("the third try, even with the right password: %d %v", r.status, r.header)
	}
	for what, edit := range map[string]func(*http.Request){
		"elsewhere":                                  from("192.0.2.2"),
		"elsewhere, behind two proxies":              from("192.0.2.3, 10.1.1.1"),
		"elsewhere, who pretends to be the attacker": from("192.0.2.1, 192.0.2.4"),
		"elsewhere, in two headers":                  from("192.0.2.1", "192.0.2.5"),
	} {
		if r := w.post(alice(), edit); r.status != 200 {
			t.Errorf("alice %s: %d %s", what, r.status, r.body)
		}
	}
	if r := w.post(alice(), from("192.0.2.9, 192.0.2.1, 10.9.9.9")); r.status != 429 {
		t.Errorf("the attacker who pretends to be elsewhere: %d", r.status)
	}
	for _, name := range []string{"x", "y"} {
		w.post(wrong(name), from("192.0.2.1"))
	}
	if r := w.post(wrong("z"), from("192.0.2.1")); r.status != 429 {
		t.Errorf("the fifth failure from one network: %d", r.status)
	}
	if r := w.post(form("grant_type", "client_credentials", "client_id", "batch", "client_secret", secret), from("192.0.2.1")); r.status != 200 {
		t.Errorf("other grants go on: %d", r.status)
	}
	if !strings.Contains(w.audit.String(), `"remote":"192.0.2.1","reason":"too many failed attempts"`) {
		t.Error("the audit log does not say it")
	}
}

func TestForwardedForIsTrustedFromProxiesOnly(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.settings.write(map[string]string{"issuer.yaml": strings.Replace(w.config(), "server:", "server:\n  trustedProxies: [192.0.2.0/24]", 1)})
	w.useKey("ES256", newKey(t))
	w.start()
	w.post(alice(), from("198.51.100.1"))
	if !strings.Contains(w.audit.String(), `"remote":"127.0.0.1"`) {
		t.Error(w.audit)
	}
}

// Far more logins at once than can be hashed: some are told to come again, and nothing else is held up.
func TestLoginStorm(t *testing.T) {
	w := newWorld(t)
	w.client.Transport.(*http.Transport).DisableKeepAlives = false
	var mu sync.Mutex
	count := map[int]int{}
	var storm sync.WaitGroup
	for range 400 {
		storm.Go(func() {
			r := w.post(alice())
			mu.Lock()
			defer mu.Unlock()
			count[r.status]++
			if r.status == 503 && r.header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
		})
	}
	for range 20 {
		if r := w.post(form("grant_type", "client_credentials", "client_id", "batch", "client_secret", secret)); r.status != 200 {
			t.Errorf("another grant: %d %s", r.status, r.body)
		}
	}
	storm.Wait()
	if count[200] == 0 || count[503] == 0 || count[200]+count[503] != 400 {
		t.Errorf("answers %v", count)
	}
}

func TestLargeHeadersAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if r := w.post(alice(), func(r *http.Request) { r.Header.Set("X", strings.Repeat("x", 32<<10)) }); r.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("large headers: %d", r.status)
	}
}

// The connections that are open at once are bounded: more wait, and are served when one closes.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.settings.write(map[string]string{"issuer.yaml": strings.Replace(w.config(), "server:", "server:\n  maxConnections: 1", 1)})
	w.useKey("ES256", newKey(t))
	w.start()
	held, err := tls.Dial("tcp", strings.TrimPrefix(w.base, "https://"), w.client.Transport.(*http.Transport).TLSClientConfig)
	w.must(err)
	answered := make(chan int, 1)
	go func() { answered <- w.post(alice()).status }()
	select {
	case status := <-answered:
		t.Errorf("a second connection was served: %d", status)
	case <-time.After(300 * time.Millisecond):
	}
	w.must(held.Close())
	if status := <-answered; status != http.StatusOK {
		t.Errorf("after the first was closed: %d", status)
	}
}
