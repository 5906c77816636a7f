package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/keywright/keywright/hack/e2e/report"
)

// startPods starts the services, the watchers and the load, with certificates of a CA of the test's own.
func startPods(t *testing.T, s *shell, issuer, password string) {
	t.Helper()
	s.run(t, "kubectl apply -f "+manifest(t, s, "namespaces.yaml", nil))
	certify(t, s.directory, "shop.shop.svc", "orders.orders.svc", "provider.providers.svc")
	for _, namespace := range []string{"shop", "orders"} {
		s.run(t, "kubectl create secret tls tls -n "+namespace+" --cert=tls.crt --key=tls.key")
	}
	s.run(t, `kubectl get configmap keywright-issuer-ca -n keywright-system -o jsonpath='{.data.ca\.crt}' > issuer-ca.crt
kubectl create configmap trusted -n clients --from-file=issuer-ca.crt --from-file=services-ca.crt`)
	s.feed(t, "kubectl create secret generic alice -n clients --from-file=password=/dev/stdin", password)
	s.run(t, "kubectl apply -f "+manifest(t, s, "services.yaml", map[string]string{"Issuer": issuer, "Registry": registry(), "Tag": tag}))
	for _, deployment := range []string{"-n shop deployment/shop", "-n orders deployment/orders", "-n shop deployment/watch", "-n clients deployment/load"} {
		s.run(t, "kubectl rollout status --timeout=2m "+deployment)
	}
}

// manifest fills in a manifest and returns where it is.
func manifest(t *testing.T, s *shell, name string, values map[string]string) string {
	t.Helper()
	m, err := template.ParseFiles(filepath.Join("manifests", name))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.directory, name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Execute(f, values); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// certify writes services-ca.crt, and tls.crt and tls.key that it vouches for.
func certify(t *testing.T, directory string, names ...string) {
	t.Helper()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "services"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: names[0]}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, DNSNames: names,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	check(t, err)
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	check(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	for name, block := range map[string]*pem.Block{
		"services-ca.crt": {Type: "CERTIFICATE", Bytes: caDER}, "tls.crt": {Type: "CERTIFICATE", Bytes: der}, "tls.key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		check(t, os.WriteFile(filepath.Join(directory, name), pem.EncodeToMemory(block), 0o600))
	}
}

// reported asks the load what it has seen.
func reported(t *testing.T, s *shell) report.Report {
	t.Helper()
	var r report.Report
	out := s.run(t, "kubectl get --raw /api/v1/namespaces/clients/pods/$(kubectl get pods -n clients -l app=load -o name | cut -d/ -f2):8080/proxy/report")
	check(t, json.Unmarshal([]byte(out), &r))
	return r
}

// seen asks each watcher when it first saw each content of its file.
func seen(t *testing.T, s *shell) []report.Seen {
	t.Helper()
	var all []report.Seen
	for name := range strings.FieldsSeq(s.run(t, "kubectl get pods -n shop -l app=watch -o jsonpath='{.items[*].metadata.name}'")) {
		var one report.Seen
		check(t, json.Unmarshal([]byte(s.run(t, "kubectl get --raw /api/v1/namespaces/shop/pods/"+name+":8080/proxy/seen")), &one))
		all = append(all, one)
	}
	return all
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
