package traffic

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
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"
)

// User is who logs in, as the public client web.
type User struct{ Name, Password string }

// Load logs in at the issuers and calls the services, at a steady rate, until its context ends.
type Load struct {
	HTTP *http.Client
	User User
	// Issuers and Services are URLs; of the former any will do.
	Issuers, Services []string
	Ledger            *Ledger
	// Logins and Calls are a second.
	Logins, Calls int
	// Patience is how long a login is tried again when no issuer answers: a Service sends requests to pods that died until its nodes know. With it, a
	// call is made again for a moment, too.
	Patience time.Duration
	// Took, if it is there, is told how long each login and each call took.
	Took func(what string, took time.Duration)
}

// NewClient returns a client that trusts some CAs.
func NewClient(pool *x509.CertPool) *http.Client {
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 32,
	}}
}

// Run returns when all workers have stopped.
func (l *Load) Run(ctx context.Context) {
	const workers = 8
	var all sync.WaitGroup
	all.Go(func() { Every(ctx, time.Second/time.Duration(l.Logins), l.logIn) })
	for i := range workers {
		n := i
		all.Go(func() {
			Every(ctx, workers*time.Second/time.Duration(l.Calls), func(ctx context.Context, _ int) {
				n++
				l.call(ctx, n)
			})
		})
	}
	all.Wait()
}

// Every does something at a steady rate.
func Every(ctx context.Context, period time.Duration, do func(ctx context.Context, n int)) {
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
func (l *Load) logIn(ctx context.Context, n int) {
	const pause = 100 * time.Millisecond
	var problems []error
	began := time.Now()
	var unanswered *url.Error
	for i := 0; ctx.Err() == nil; i++ {
		if i >= len(l.Issuers) {
			if !errors.As(problems[i-1], &unanswered) || time.Since(began) > l.Patience {
				break
			}
			time.Sleep(pause)
		}
		asked := time.Now()
		t, err := LogIn(ctx, l.HTTP, l.Issuers[(n+i)%len(l.Issuers)], l.User)
		if err == nil {
			l.took("login", asked)
			l.Ledger.given(t)
			return
		}
		problems = append(problems, err)
		l.Ledger.update(func(t *Tally) { t.FailedOver++ }, "")
	}
	if ctx.Err() == nil {
		l.Ledger.update(func(t *Tally) { t.RefusedLogins++ }, "no issuer let "+l.User.Name+" in: "+errors.Join(problems...).Error())
	}
}

// LogIn gets a token from one issuer.
func LogIn(ctx context.Context, client *http.Client, issuer string, user User) (Token, error) {
	form := url.Values{"grant_type": {"password"}, "client_id": {"web"}, "username": {user.Name}, "password": {user.Password}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return Token{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	asked := time.Now()
	var last lastEvent
	response, err := client.Do(req.WithContext(httptrace.WithClientTrace(ctx, last.trace())))
	if err != nil {
		return Token{}, fmt.Errorf("%w, after %s", err, last.String())
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
		Error       string `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<16)).Decode(&answer); err != nil {
		return Token{}, err
	}
	if answer.AccessToken == "" {
		return Token{}, fmt.Errorf("%s: %s", issuer, answer.Error)
	}
	// iat is a whole second, at most one before the request.
	expiry := asked.Truncate(time.Second).Add(time.Duration(answer.ExpiresIn) * time.Second)
	return Token{Compact: answer.AccessToken, KeyID: keyIDOf(answer.AccessToken), Expiry: expiry}, nil
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
func (l *Load) call(ctx context.Context, n int) {
	t, ok := l.Ledger.any()
	if !ok {
		return
	}
	forge := n%50 == 0
	compact := t.Compact
	if forge {
		compact = forged(compact)
	}
	sent, status, said, err := l.show(ctx, l.Services[n%len(l.Services)], compact)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		l.Ledger.update(func(t *Tally) { t.Unreachable++ }, "a service did not respond: "+err.Error())
	case forge:
		l.Ledger.forged(status == http.StatusOK)
	default:
		l.took("call", sent)
		l.Ledger.answered(t, sent, status == http.StatusOK, said)
	}
}

// mostRefused is how long connections to a service may be refused: kube-proxy does so for moments while it writes the rules of any Service anew.
const mostRefused = 2 * time.Second

// show shows a token, again if the connection was refused. It also returns when the last try began.
func (l *Load) show(ctx context.Context, service, compact string) (sent time.Time, status int, said string, err error) {
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		sent = time.Now()
		status, said, err = l.Show(ctx, service, compact)
		if !errors.Is(err, syscall.ECONNREFUSED) || l.Patience == 0 || time.Since(began) > mostRefused || ctx.Err() != nil {
			return sent, status, said, err
		}
		l.Ledger.update(func(t *Tally) { t.CalledAgain++ }, "")
	}
}

func (l *Load) took(what string, since time.Time) {
	if l.Took != nil {
		l.Took(what, time.Since(since))
	}
}

// Show sends a token to a service, and returns its status and what it said with it.
func (l *Load) Show(ctx context.Context, service, compact string) (status int, said string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, service, nil)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "Bearer "+compact)
	response, err := l.HTTP.Do(req)
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
