package jwtverify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/keywright/keywright/issuer/mount"
)

const (
	// maxFile bounds a key set, and what else is read to get it.
	maxFile = 1 << 20
	// askFor bounds one answer.
	askFor = 5 * time.Second
)

func (k *KeySet) bytes(ctx context.Context) ([]byte, error) {
	if k.source.File != "" {
		return mount.Read(k.source.File, maxFile)
	}
	client, err := k.client()
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	address := k.source.URL
	if address == "" {
		if address, err = k.discover(ctx, client); err != nil {
			return nil, err
		}
	}
	return k.get(ctx, client, address)
}

// discover reads jwks_uri (OpenID Connect Discovery section 4).
func (k *KeySet) discover(ctx context.Context, client *http.Client) (string, error) {
	where := strings.TrimSuffix(k.issuer, "/") + "/.well-known/openid-configuration"
	b, err := k.get(ctx, client, where)
	if err != nil {
		return "", err
	}
	var metadata struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(b, &metadata); err != nil {
		return "", fmt.Errorf("%s: is not JSON", where)
	}
	if metadata.Issuer != k.issuer {
		return "", fmt.Errorf("%s: names another issuer", where)
	}
	if u, err := url.Parse(metadata.JWKS); err != nil || u.Scheme != "https" || u.User != nil { // a password would end up in the log
		return "", fmt.Errorf("%s: names no jwks_uri that is an https URL without a user", where)
	}
	return metadata.JWKS, nil
}

func (k *KeySet) get(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if k.source.TokenFile != "" {
		token, err := k.token()
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", address, response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, maxFile))
}

func (k *KeySet) token() (string, error) {
	b, err := mount.Read(k.source.TokenFile, maxFile)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(b))
	if token == "" {
		return "", fmt.Errorf("%s has no token", k.source.TokenFile)
	}
	return token, nil
}

// client trusts the CA file as it is now. It follows no redirect: the token would go along.
func (k *KeySet) client() (*http.Client, error) {
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if k.source.CAFile != "" {
		b, err := mount.Read(k.source.CAFile, maxFile)
		if err != nil {
			return nil, err
		}
		trust.RootCAs = x509.NewCertPool()
		if !trust.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("%s has no certificate", k.source.CAFile)
		}
	}
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: trust, Proxy: http.ProxyFromEnvironment},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}
