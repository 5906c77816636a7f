package jwtverify

import (
	"context"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/keywright/keywright/issuer/reload"
	"github.com/keywright/keywright/issuer/remote"
)

const (
	// maxFile limits a file.
	maxFile = 1 << 20
	// requestTimeout limits a request.
	requestTimeout = 5 * time.Second
)

func (k *KeySet) bytes(ctx context.Context) ([]byte, error) {
	if k.source.File != "" {
		return reload.Read(k.source.File, maxFile)
	}
	client, err := k.client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	address := k.source.URL
	if address == "" {
		if address, err = client.JWKSURI(ctx, k.issuer); err != nil {
			return nil, err
		}
	}
	answer, err := client.Get(ctx, address, "")
	return answer.Body, err
}

func (k *KeySet) token() (string, error) {
	if k.source.TokenFile == "" {
		return "", nil
	}
	b, err := reload.Read(k.source.TokenFile, maxFile)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(b))
	if token == "" {
		return "", fmt.Errorf("%s has no token", k.source.TokenFile)
	}
	return token, nil
}

// client returns a client with the current CA file and token.
func (k *KeySet) client() (*remote.Client, error) {
	roots, err := k.roots()
	if err != nil {
		return nil, err
	}
	token, err := k.token()
	if err != nil {
		return nil, err
	}
	return remote.New(roots, token), nil
}

// roots returns the certificates of the CA file, nil for those of the system.
func (k *KeySet) roots() (*x509.CertPool, error) {
	if k.source.CAFile == "" {
		return nil, nil
	}
	b, err := reload.Read(k.source.CAFile, maxFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s has no PEM certificate", k.source.CAFile)
	}
	return roots, nil
}
