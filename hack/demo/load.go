package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	user     = "alice"
	password = "wonderland"
)

// load logs in at the issuers and calls the services, at a steady rate, until its context ends.
type load struct {
	http     *http.Client
	issuers  []string
	services []string
	ledger   *ledger
	// logins and calls are a second.
	logins, calls int
}

func newClient(pool *x509.CertPool) *http.Client {
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 32,
	}}
}

// run returns when all workers have stopped.
func (l *load) run(ctx context.Context) {
	const workers = 8
	var all sync.WaitGroup
	all.Go(func() { every(ctx, time.Second/time.Duration(l.logins), l.logIn) })
	for i := range workers {
		n := i
		all.Go(func() {
			every(ctx, workers*time.Second/time.Duration(l.calls), func(ctx context.Context, _ int) {
				n++
				l.call(ctx, n)
			})
		})
	}
	all.Wait()
}

// every does something at a steady rate.
func every(ctx context.Context, period time.Duration, do func(ctx context.Context, n int)) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			do(ctx, n)
		}
	}
}

// logIn gets a token from one issuer, or from the next when that is down.
func (l *load) logIn(ctx context.Context, n int) {
	var problems []error
	for i := range l.issuers {
		t, err := logIn(ctx, l.http, l.issuers[(n+i)%len(l.issuers)])
		if err == nil {
			l.ledger.given(t)
			return
		}
		problems = append(problems, err)
		l.ledger.update(func(t *tally) { t.failedOver++ }, "")
	}
	if ctx.Err() == nil {
		l.ledger.update(func(t *tally) { t.refusedLogins++ }, "no issuer let alice in: "+errors.Join(problems...).Error())
	}
}

func logIn(ctx context.Context, client *http.Client, issuer string) (token, error) {
	form := url.Values{"grant_type": {"password"}, "client_id": {"web"}, "username": {user}, "password": {password}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return token{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	asked := time.Now()
	response, err := client.Do(req)
	if err != nil {
		return token{}, err
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
		Error       string `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<16)).Decode(&answer); err != nil {
		return token{}, err
	}
	if answer.AccessToken == "" {
		return token{}, fmt.Errorf("%s: %s", issuer, answer.Error)
	}
	// iat is a whole second, at most one before the request.
	expiry := asked.Truncate(time.Second).Add(time.Duration(answer.ExpiresIn) * time.Second)
	return token{compact: answer.AccessToken, kid: keyIDOf(answer.AccessToken), expiry: expiry}, nil
}

func keyIDOf(compact string) string {
	header, _, _ := strings.Cut(compact, ".")
	b, _ := base64.RawURLEncoding.DecodeString(header)
	var h struct {
		KeyID string `json:"kid"`
	}
	_ = json.Unmarshal(b, &h)
	return h.KeyID
}

// call shows a service some token that lives, and now and then a forged one.
func (l *load) call(ctx context.Context, n int) {
	t, ok := l.ledger.any()
	if !ok {
		return
	}
	forge := n%50 == 0
	compact := t.compact
	if forge {
		compact = forged(compact)
	}
	sent := time.Now()
	status, said, err := l.show(ctx, l.services[n%len(l.services)], compact)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		l.ledger.update(func(t *tally) { t.unreachable++ }, "a service did not answer: "+err.Error())
	case forge:
		l.ledger.forged(status == http.StatusOK)
	default:
		l.ledger.answered(t, sent, status == http.StatusOK, said)
	}
}

func (l *load) show(ctx context.Context, service, compact string) (status int, said string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, service, nil)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "Bearer "+compact)
	response, err := l.http.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16))
	return response.StatusCode, response.Status + " " + response.Header.Get("WWW-Authenticate"), nil
}

// forged changes the subject of a token and keeps the signature.
func forged(compact string) string {
	parts := strings.Split(compact, ".")
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(payload), `"sub":"`, `"sub":"root-`, 1)))
	return strings.Join(parts, ".")
}
