package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"time"
)

// pair is a key with its certificate.
type pair struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

// certify writes what the components know each other by: two CAs, one certificate for each server and user, kubeconfigs of the users,
// and the key that signs ServiceAccount tokens.
func (c *cluster) certify() error {
	ca, err := c.sign("ca", nil, &x509.Certificate{Subject: pkix.Name{CommonName: "ca"}, IsCA: true})
	if err != nil {
		return err
	}
	front, err := c.sign("front-proxy-ca", nil, &x509.Certificate{Subject: pkix.Name{CommonName: "front-proxy-ca"}, IsCA: true})
	if err != nil {
		return err
	}
	loopback := net.IPv4(127, 0, 0, 1)
	server, client := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	for _, issue := range []struct {
		name   string
		signer *pair
		wanted x509.Certificate
	}{
		{"apiserver", ca, x509.Certificate{
			Subject: pkix.Name{CommonName: "kube-apiserver"}, ExtKeyUsage: server,
			DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
			IPAddresses: []net.IP{loopback, net.ParseIP(kubernetesIP), net.ParseIP(nodeIP)},
		}},
		{"kubelet-server", ca, x509.Certificate{
			Subject: pkix.Name{CommonName: "system:node:" + nodeName, Organization: []string{"system:nodes"}}, ExtKeyUsage: server,
			DNSNames: []string{nodeName}, IPAddresses: []net.IP{loopback, net.ParseIP(nodeIP)},
		}},
		{"apiserver-kubelet-client", ca, x509.Certificate{Subject: user("kube-apiserver-kubelet-client", "system:masters"), ExtKeyUsage: client}},
		{"front-proxy-client", front, x509.Certificate{Subject: user("front-proxy-client"), ExtKeyUsage: client}},
		{"admin", ca, x509.Certificate{Subject: user("admin", "system:masters"), ExtKeyUsage: client}},
		{"controller-manager", ca, x509.Certificate{Subject: user("system:kube-controller-manager"), ExtKeyUsage: client}},
		{"scheduler", ca, x509.Certificate{Subject: user("system:kube-scheduler"), ExtKeyUsage: client}},
		{"proxy", ca, x509.Certificate{Subject: user("system:kube-proxy"), ExtKeyUsage: client}},
		{"dns", ca, x509.Certificate{Subject: user("dns", "system:masters"), ExtKeyUsage: client}},
		{"kubelet", ca, x509.Certificate{Subject: user("system:node:"+nodeName, "system:nodes"), ExtKeyUsage: client}},
	} {
		if _, err := c.sign(issue.name, issue.signer, &issue.wanted); err != nil {
			return err
		}
	}
	return c.signServiceAccounts()
}

func user(name string, groups ...string) pkix.Name {
	return pkix.Name{CommonName: name, Organization: groups}
}

// sign writes a new key and its certificate, signed by another or by itself.
func (c *cluster) sign(name string, signer *pair, wanted *x509.Certificate) (*pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if wanted.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64)); err != nil {
		return nil, err
	}
	wanted.NotBefore, wanted.NotAfter = time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
	wanted.BasicConstraintsValid, wanted.KeyUsage = true, x509.KeyUsageDigitalSignature
	if wanted.IsCA {
		wanted.KeyUsage |= x509.KeyUsageCertSign
	}
	if signer == nil {
		signer = &pair{key, wanted}
	}
	der, err := x509.CreateCertificate(rand.Reader, wanted, signer.certificate, key.Public(), signer.key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	for file, block := range map[string]*pem.Block{name + ".crt": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(c.path("pki", file), pem.EncodeToMemory(block), 0o600); err != nil {
			return nil, err
		}
	}
	return &pair{key, certificate}, nil
}
