package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// proofs is how many refreshes are made ready for a measurement. Each proof is good once.
const proofs = 6000

// client stays logged in: it holds a key, and a refresh token that is bound to it.
type client struct {
	key   *ecdsa.PrivateKey
	jwk   string
	token string
}

// newClient logs alice in.
func newClient(address string) (*client, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	b64 := base64.RawURLEncoding.EncodeToString
	c := &client{key: key, jwk: fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q}`, b64(point[1:33]), b64(point[33:]))}
	login, err := c.request(url.Values{"grant_type": {"password"}, "client_id": {"spa"}, "username": {"alice"}, "password": {password}})
	if err != nil {
		return nil, err
	}
	conn, err := dial(address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write(login); err != nil {
		return nil, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	var got struct {
		RefreshToken string `json:"refresh_token"`
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, json.Unmarshal(body, &got)); err != nil || got.RefreshToken == "" {
		return nil, fmt.Errorf("no refresh token: %s: %w", body, err)
	}
	c.token = got.RefreshToken
	return c, nil
}

// request is a whole request with a proof (RFC 9449 section 4.2).
func (c *client) request(form url.Values) ([]byte, error) {
	b64 := base64.RawURLEncoding
	head := `{"typ":"dpop+jwt","alg":"ES256","jwk":` + c.jwk + `}`
	claims := fmt.Sprintf(`{"jti":%q,"htm":"POST","htu":%q,"iat":%d}`, rand.Text(), issuerURL+"/token", time.Now().Unix())
	signed := b64.EncodeToString([]byte(head)) + "." + b64.EncodeToString([]byte(claims))
	digest := sha256.Sum256([]byte(signed))
	x, y, err := ecdsa.Sign(rand.Reader, c.key, digest[:])
	if err != nil {
		return nil, err
	}
	var signature [64]byte
	x.FillBytes(signature[:32])
	y.FillBytes(signature[32:])
	body := form.Encode()
	return fmt.Appendf(nil, "POST /token HTTP/1.1\r\nHost: issuer.example.com\r\nDPoP: %s.%s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
		signed, b64.EncodeToString(signature[:]), len(body), body), nil
}

// refreshes makes requests ready, and returns a source of them. Past the last one it has none, which the issuer refuses.
func (c *client) refreshes(n int) (func() []byte, error) {
	ready := make([][]byte, n)
	for i := range ready {
		var err error
		if ready[i], err = c.request(url.Values{"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {c.token}}); err != nil {
			return nil, err
		}
	}
	var taken atomic.Int64
	return func() []byte { return ready[min(int(taken.Add(1)), n)-1] }, nil
}

// refresh measures the CPU time of a refresh with a proof, and its latency while many log in.
func (b *bench) refresh(ctx context.Context, rounds int) error {
	hashes, err := b.hashes(ctx)
	if err != nil {
		return err
	}
	if err := b.users(user(hashes[0].hash)); err != nil {
		return err
	}
	floor, err := b.start(ctx, "verified")
	if err != nil {
		return err
	}
	defer floor.stop()
	issuer, err := b.start(ctx, "issuer")
	if err != nil {
		return err
	}
	defer issuer.stop()
	c, err := newClient(issuer.address)
	if err != nil {
		return err
	}
	var least, whole []float64
	for range 5 * rounds {
		cost, err1 := floor.cost(clientCredentials(), false)
		next, err2 := c.refreshes(proofs)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		refreshed, err := issuer.costOf(next, false)
		if err != nil {
			return err
		}
		least, whole = append(least, cost), append(whole, refreshed)
	}
	fmt.Printf("\nrefresh, ES256 proof verified, ES256 token signed, session opened and sealed: %.1f µs, D %.1f µs, %.2f x D\n", median(whole), median(least), ratio(whole, least))
	b.atMost("refresh, x D", ratio(whole, least), 1.3)
	return b.refreshInAStorm(issuer, c, rounds)
}

// refreshInAStorm measures refreshes, evenly spaced, before many log in and while they do.
func (b *bench) refreshInAStorm(issuer *process, c *client, rounds int) error {
	var calm, storming []float64
	for range rounds {
		next, err := c.refreshes(1000)
		if err != nil {
			return err
		}
		before, err := paced(issuer.address, next, 10*time.Millisecond, 4*time.Second)
		if err != nil {
			return err
		}
		done := make(chan error, 1)
		go func() {
			_, err := closed(issuer.address, always(logIn(password)), 32, 5*time.Second, false)
			done <- err
		}()
		<-time.After(500 * time.Millisecond)
		during, err := paced(issuer.address, next, 10*time.Millisecond, 4*time.Second)
		if err = errors.Join(err, <-done); err != nil {
			return err
		}
		if before.statuses[200] != len(before.latencies) || during.statuses[200] != len(during.latencies) {
			return fmt.Errorf("answers %v and %v", before.statuses, during.statuses)
		}
		calm, storming = append(calm, before.quantile(.99).Seconds()*1e3), append(storming, during.quantile(.99).Seconds()*1e3)
	}
	fmt.Printf("refresh while 32 clients log in, p99: %.1f ms, %.1f ms without logins\n", median(storming), median(calm))
	b.atMost("refresh while 32 clients log in, p99 ms", median(storming), 5)
	return nil
}
