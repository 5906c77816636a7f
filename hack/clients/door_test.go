package clients_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// door is a real HAProxy between clients and an issuer. One that passes TLS through says who connects by the PROXY protocol; one that ends TLS
// and encrypts anew says it by X-Forwarded-For. docs/reaching-the-issuer.md has both.
type door struct {
	kind, address, url string
	// mutual is where clients with certificates come in, and its target.
	mutual, mutualTarget string
}

const (
	passthrough = "passthrough"
	reencrypted = "re-encrypted"
)

// doorSettings are those of the issuer's server behind either door. HAProxy connects from 127.0.0.1, and clients from elsewhere.
const doorSettings = "  trustedProxies: [127.0.0.1/32]\n  proxyProtocol: true\n"

func newDoor(t *testing.T, kind string) *door {
	t.Helper()
	needs(t, "haproxy", "apt-get install haproxy")
	address := freeAddress(t)
	return &door{kind: kind, address: address, url: "https://" + address, mutual: freeAddress(t), mutualTarget: freeAddress(t)}
}

// open starts the proxy in front of an issuer, which is then reached by the door alone.
func (d *door) open(t *testing.T, a *authority, r *replica) {
	t.Helper()
	directory := t.TempDir()
	crt, err := os.ReadFile(a.crt())
	must(t, err)
	key, err := os.ReadFile(a.key())
	must(t, err)
	must(t, os.WriteFile(filepath.Join(directory, "door.pem"), append(crt, key...), 0o600))
	must(t, os.WriteFile(filepath.Join(directory, "ca.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw}), 0o600))
	target := strings.TrimPrefix(r.url, "https://")
	frontends := map[string]string{passthrough: `
listen issuer
  mode tcp
  bind %[1]s
  server issuer %[2]s send-proxy-v2
listen mutual
  mode tcp
  bind %[3]s
  server issuer %[4]s send-proxy-v2
`, reencrypted: `
listen issuer
  mode http
  option forwardfor
  bind %[1]s ssl crt %[5]s/door.pem alpn h2,http/1.1
  server issuer %[2]s ssl verify required ca-file %[5]s/ca.crt verifyhost localhost
listen mutual
  mode http
  bind %[3]s ssl crt %[5]s/door.pem
  server issuer %[4]s ssl verify required ca-file %[5]s/ca.crt verifyhost localhost
`}
	config := "defaults\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n" +
		fmt.Sprintf(frontends[d.kind], d.address, target, d.mutual, d.mutualTarget, directory)
	file := filepath.Join(directory, "haproxy.cfg")
	must(t, os.WriteFile(file, []byte(config), 0o600))
	var log bytes.Buffer
	cmd := exec.Command("haproxy", "-db", "-f", file)
	cmd.Stdout, cmd.Stderr = &log, &log
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("haproxy:\n%s\nthe issuer:\n%s", log.String(), r.log())
		}
	})
	r.url = d.url
	until(t, "a door", 10*time.Second, func() bool {
		response, err := a.client().Get(d.url + "/jwks")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// from has a client connect from an address of its own.
func from(client *http.Client, address string) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	client.Transport.(*http.Transport).DialContext = dialer.DialContext
	return client
}

// remotes are the addresses in the audit log.
func (r *replica) remotes() (all []string) {
	for line := range strings.Lines(r.log()) {
		var record struct{ Grant, Remote string }
		if json.Unmarshal([]byte(line), &record) == nil && record.Grant != "" {
			all = append(all, record.Remote)
		}
	}
	return all
}

// Behind each door the audit log has the address of the client, whatever the client itself says, over HTTP/1.1 and HTTP/2.
func TestDoorsTellWhoConnects(t *testing.T) {
	for _, kind := range []string{passthrough, reencrypted} {
		t.Run(kind, func(t *testing.T) {
			a, d := newAuthority(t), newDoor(t, kind)
			r := startIssuer(t, a, newKeyring(t), options{issuer: d.url, server: doorSettings})
			direct := r.url
			d.open(t, a, r)
			for i, client := range []*http.Client{a.client(), a.http2()} {
				address := fmt.Sprintf("127.0.0.%d", i+2)
				from(client, address)
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+"/token",
					strings.NewReader("grant_type=password&client_id=web&username=alice&password=wrong"))
				must(t, err)
				request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				request.Header.Set("X-Forwarded-For", "198.51.100.66") // a client that would like to be another
				response, err := client.Do(request)
				must(t, err)
				_ = response.Body.Close()
				if remotes := r.remotes(); response.ProtoMajor != i+1 || len(remotes) != i+1 || remotes[i] != address {
					t.Errorf("HTTP/%d: the audit log has %v, want %s", response.ProtoMajor, remotes, address)
				}
			}
			r.alice(from(a.client(), "127.0.0.2"))
			r.url = direct // beside the door, as pods of the cluster come
			r.alice(from(a.client(), "127.0.0.4"))
			if remotes := r.remotes(); remotes[len(remotes)-1] != "127.0.0.4" {
				t.Errorf("beside the door: %v", remotes)
			}
		})
	}
}

// A client with a certificate gets its token where TLS is passed through. A door that ends TLS takes the certificate away.
func TestDoorsAndCertificatesOfClients(t *testing.T) {
	for _, kind := range []string{passthrough, reencrypted} {
		t.Run(kind, func(t *testing.T) {
			a, d := newAuthority(t), newDoor(t, kind)
			certificate, ca := clientCertificate(t)
			r := startIssuer(t, a, newKeyring(t), options{
				issuer: d.url, server: doorSettings + fmt.Sprintf("  mutualTLS: {address: %q, url: https://%s/token, clientCAFile: %s}", d.mutualTarget, d.mutual, ca),
				clients: "- {id: cart, certificateName: cart.shop.svc, grantTypes: [client_credentials]}",
			})
			d.open(t, a, r)
			client := from(a.client(), "127.0.0.5")
			client.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{certificate}
			response, err := client.Post("https://"+d.mutual+"/token", "application/x-www-form-urlencoded", strings.NewReader("grant_type=client_credentials&client_id=cart"))
			must(t, err)
			_ = response.Body.Close()
			if kind == reencrypted {
				if remotes := r.remotes(); response.StatusCode == http.StatusOK || len(remotes) != 0 {
					t.Errorf("%d, and the audit log has %v", response.StatusCode, remotes)
				}
				return
			}
			if remotes := r.remotes(); response.StatusCode != http.StatusOK || len(remotes) != 1 || remotes[0] != "127.0.0.5" {
				t.Errorf("%d, and the audit log has %v", response.StatusCode, remotes)
			}
		})
	}
}

// clientCertificate is one of the client cart, and the file of its CA: itself.
func clientCertificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "cart"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"cart.shop.svc"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	file := filepath.Join(t.TempDir(), "client-ca.crt")
	must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// A browser logs in and stays logged in behind each door: its proofs (DPoP) name the URL of the issuer, which is that of the door.
func TestBrowserBehindDoors(t *testing.T) {
	needsChromium(t)
	for _, kind := range []string{passthrough, reencrypted} {
		t.Run(kind, func(t *testing.T) {
			seen := newStageBehind(t, newAuthority(t), "", newDoor(t, kind)).play("reload")
			for what, want := range stories()["reload"].want {
				if seen[what] != want {
					t.Errorf("%s: %v, want %v", what, seen[what], want)
				}
			}
		})
	}
}
