package server_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/issuer/login/ldap/slapdtest"
)

// stalledDirectory is an LDAP server that shakes hands and then says nothing.
func (w *world) stalledDirectory() string {
	w.Helper()
	certificate, err := tls.LoadX509KeyPair(filepath.Join(w.cert.Directory, "tls.crt"), filepath.Join(w.cert.Directory, "tls.key"))
	w.must(err)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	w.must(err)
	w.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func(c net.Conn) { _, _ = io.Copy(io.Discard, c); _ = c.Close() }(c)
		}
	}()
	return "ldaps://" + listener.Addr().String()
}

// wantOthersAnswered gets tokens and documents while something else is going on. One that meets a full place may come again.
func (w *world) wantOthersAnswered() {
	w.Helper()
	for range 30 {
		if r := w.get(w.base + "/jwks"); r.status != http.StatusOK {
			w.Errorf("/jwks answers %d", r.status)
		}
		if r := w.post(form("grant_type", "client_credentials", "client_id", "batch", "client_secret", secret)); r.status != http.StatusOK {
			w.Errorf("client_credentials get %d %s", r.status, r.body)
		}
	}
}

// A directory that stalls fills the places of logins, and no others.
func TestStalledDirectoryDoesNotBlockOtherGrants(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.users.write(map[string]string{"password": slapdtest.SearcherPassword})
	w.settings.write(map[string]string{"issuer.yaml": strings.Replace(w.config(), "{file: "+w.users.Directory+"/users.yaml}", fmt.Sprintf(`
  ldap:
    url: %s
    caFile: %s/tls.crt
    bindDN: cn=searcher,dc=example,dc=com
    bindPasswordFile: %s/password
    users: {baseDN: "dc=example,dc=com", filter: "(&(objectClass=inetOrgPerson)(uid={name}))", subject: entryUUID}`,
		w.stalledDirectory(), w.cert.Directory, w.users.Directory), 1)})
	w.useKey("ES256", newKey(t))
	w.start()
	stop := w.flood(func(client *http.Client, i int) {
		r, err := client.Post(w.base+"/token", "application/x-www-form-urlencoded", strings.NewReader(form("grant_type", "password", "client_id", "web",
			"username", fmt.Sprint("u", i), "password", "x")))
		if err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusServiceUnavailable {
				<-time.After(time.Second) // as Retry-After says
			}
		}
	})
	w.wantOthersAnswered()
	stop()
}

// Bodies that never end fill what one connection may have, and no more.
func TestSlowBodiesDoNotBlockOtherClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.flood(func(client *http.Client, _ int) {
		body, writer := io.Pipe()
		defer func() { _ = writer.Close() }()
		req, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.base+"/token", body)
		w.must(err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if r, err := client.Do(req); err == nil {
			_ = r.Body.Close()
			<-time.After(time.Second)
		}
	})
	w.wantOthersAnswered()
	stop()
}

// flood does something again and again, 100 times at once on each of 11 connections over HTTP/2, until it is stopped. It returns when all
// have begun.
func (w *world) flood(do func(client *http.Client, i int)) (stop func()) {
	w.Helper()
	trust := w.client.Transport.(*http.Transport).TLSClientConfig
	done := make(chan struct{})
	var all, begun sync.WaitGroup
	for range 11 {
		client := newHTTP2Client(trust)
		for i := range 100 {
			begun.Add(1)
			all.Go(func() {
				begun.Done()
				for {
					select {
					case <-done:
						return
					default:
						do(client, i)
					}
				}
			})
		}
	}
	begun.Wait()
	<-time.After(2 * time.Second) // until the places that can be taken are
	return sync.OnceFunc(func() { close(done); all.Wait() })
}
