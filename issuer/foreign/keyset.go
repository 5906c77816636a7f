package foreign

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"golang.org/x/time/rate"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/mount"
)

const (
	// maxFile bounds a key set, and what else is read to get it.
	maxFile = 1 << 20
	// refreshEvery is how soon a key that was taken away is no longer accepted.
	refreshEvery = 5 * time.Minute
	// askAgainAfter bounds how often unknown keys make us ask.
	askAgainAfter = 10 * time.Second
	// askFor bounds one answer.
	askFor = 5 * time.Second
)

// KeySet is the public keys of another issuer: the last that could be read.
type KeySet struct {
	issuer string
	source config.KeySource
	report func(error)
	asking *rate.Limiter

	mu   sync.Mutex
	good *jose.JSONWebKeySet
}

// NewKeySet returns a KeySet that has read nothing yet. report is told of every time it is read, nil or the error.
func NewKeySet(issuer string, source config.KeySource, report func(error)) *KeySet {
	return &KeySet{issuer: issuer, source: source, report: report, asking: rate.NewLimiter(rate.Every(askAgainAfter), 2)}
}

// Follow reads the keys again and again until the context ends.
func (k *KeySet) Follow(ctx context.Context) {
	ticker := time.NewTicker(refreshEvery)
	defer ticker.Stop()
	for {
		_ = k.refresh(ctx) // reported
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Verify checks a JWT. For a key that is not known, the keys are read again first, but not too often.
func (k *KeySet) Verify(ctx context.Context, compact string, want Expected, now time.Time) (*JWT, error) {
	k.mu.Lock()
	keys := k.good
	k.mu.Unlock()
	if keys != nil {
		if j, err := Verify(compact, keys, want, now); !errors.Is(err, ErrUnknownKey) {
			return j, err
		}
	}
	if !k.asking.Allow() {
		if keys == nil {
			return nil, ErrNoKeys
		}
		return nil, ErrUnknownKey
	}
	if err := k.refresh(ctx); err != nil && keys == nil {
		return nil, ErrNoKeys
	}
	k.mu.Lock()
	keys = k.good
	k.mu.Unlock()
	return Verify(compact, keys, want, now)
}

// ErrNoKeys is that no keys could be read yet.
var ErrNoKeys = errors.New("the keys of that issuer cannot be read")

func (k *KeySet) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	keys, err := k.read(ctx)
	if err == nil {
		k.mu.Lock()
		k.good = keys
		k.mu.Unlock()
	}
	if ctx.Err() == nil || err == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		k.report(err)
	}
	return err
}

func (k *KeySet) read(ctx context.Context) (*jose.JSONWebKeySet, error) {
	b, err := k.bytes(ctx)
	if err != nil {
		return nil, err
	}
	return ParseKeySet(b)
}

// ParseKeySet reads a JWKS (RFC 7517 section 5). Keys of types that are not known are left out (section 5.1); a symmetric or a
// private one is an error.
func ParseKeySet(b []byte) (*jose.JSONWebKeySet, error) {
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(b, &raw); err != nil || raw.Keys == nil {
		return nil, errors.New("not a JWKS")
	}
	keys := &jose.JSONWebKeySet{}
	for _, member := range raw.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(member) != nil {
			continue
		}
		if !key.Valid() || !key.IsPublic() {
			return nil, errors.New("a JWKS with a key that is not public")
		}
		keys.Keys = append(keys.Keys, key)
	}
	if len(keys.Keys) == 0 {
		return nil, errors.New("a JWKS without a key that is known")
	}
	return keys, nil
}

func (k *KeySet) bytes(ctx context.Context) ([]byte, error) {
	if k.source.File != "" {
		return mount.Read(k.source.File, maxFile)
	}
	client, err := k.client()
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	url := k.source.URL
	if url == "" {
		if url, err = k.discover(ctx, client); err != nil {
			return nil, err
		}
	}
	return k.get(ctx, client, url)
}

// discover reads jwks_uri (OpenID Connect Discovery section 4).
func (k *KeySet) discover(ctx context.Context, client *http.Client) (string, error) {
	b, err := k.get(ctx, client, strings.TrimSuffix(k.issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return "", err
	}
	var metadata struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(b, &metadata); err != nil || metadata.Issuer != k.issuer || !strings.HasPrefix(metadata.JWKS, "https://") {
		return "", errors.New("its metadata is that of another issuer, or names no jwks_uri")
	}
	return metadata.JWKS, nil
}

func (k *KeySet) get(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if k.source.TokenFile != "" {
		token, err := mount.Read(k.source.TokenFile, maxFile)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	response, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, maxFile))
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
