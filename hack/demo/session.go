package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/hack/demo/traffic"
)

// session is a client without a browser that stays logged in: it holds a key, and a refresh token that is bound to it.
type session struct {
	http    *http.Client
	issuers []string
	key     crypto.Signer

	token     string
	refreshes int
}

// answer is that of the token endpoint.
type answer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	Error        string `json:"error"`
}

// errEnded means that the issuer says the session is over.
var errEnded = errors.New("the session has ended")

// begin logs in, with a proof.
func (s *session) begin(ctx context.Context, user traffic.User) error {
	var err error
	if s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	for range 20 { // somebody who was thrown out a moment ago is told to come again
		got, err := s.ask(ctx, s.issuers[0], url.Values{"grant_type": {"password"}, "username": {user.Name}, "password": {user.Password}})
		if err != nil {
			return err
		}
		if s.token = got.RefreshToken; s.token != "" {
			return nil
		}
		if got.Error != "temporarily_unavailable" {
			return fmt.Errorf("%s gets no refresh token: %s", user.Name, got.Error)
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s cannot log in for 10 s", user.Name)
}

// refresh gets the next token from an issuer, or from the next one if that is down or does not have the key of the session yet.
func (s *session) refresh(ctx context.Context) error {
	var last error
	for range 20 {
		for range s.issuers {
			s.issuers = append(s.issuers[1:], s.issuers[0])
			got, err := s.ask(ctx, s.issuers[0], url.Values{"grant_type": {"refresh_token"}, "refresh_token": {s.token}})
			switch {
			case err != nil:
				last = err
			case got.RefreshToken != "":
				s.token, s.refreshes = got.RefreshToken, s.refreshes+1
				return nil
			case got.Error == "temporarily_unavailable":
				last = errors.New(got.Error)
			default:
				return fmt.Errorf("%w: %s", errEnded, got.Error)
			}
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return last
}

// ask sends a form and a proof to a token endpoint.
func (s *session) ask(ctx context.Context, issuer string, form url.Values) (answer, error) {
	form.Set("client_id", "agent")
	proof, err := s.proof()
	if err != nil {
		return answer{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("DPoP", proof)
	response, err := s.http.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	var got answer
	return got, json.NewDecoder(io.LimitReader(response.Body, 1<<16)).Decode(&got)
}

// proof shows that the client holds its key (RFC 9449 section 4.2).
func (s *session) proof() (string, error) {
	claims, err := json.Marshal(map[string]any{"jti": rand.Text(), "htm": http.MethodPost, "htu": issuerURL + "/token", "iat": time.Now().Unix()})
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: s.key}, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// stayLoggedIn begins a session, which goes on until the story ends or the session does.
func (s *story) stayLoggedIn(ctx context.Context) error {
	if err := s.session.begin(ctx, carol()); err != nil {
		return err
	}
	_, s.sessionSince, _ = s.state()
	s.record("carol logs in, and stays logged in with a refresh token that is bound to her key")
	s.sessionEnds = make(chan error, 1)
	go func() {
		for {
			if err := errors.Join(s.session.refresh(ctx), pause(ctx, time.Second)); err != nil {
				s.sessionEnds <- err
				return
			}
		}
	}()
	return nil
}

// sessionGoesOn fails once the session has ended.
func (s *story) sessionGoesOn() error {
	select {
	case err := <-s.sessionEnds:
		return fmt.Errorf("carol is not logged in any more: %w", err)
	default:
		return nil
	}
}

// throwOut ends the session after a number of rotations of everything, by one Revocation.
func (s *story) throwOut(ctx context.Context, rotations int) error {
	err := s.until(ctx, "the rotations of a session", func(_ *keywrightv1alpha1.SigningKey, so int) bool {
		return so >= s.sessionSince+rotations || len(s.sessionEnds) > 0
	})
	if err := errors.Join(err, s.sessionGoesOn()); err != nil {
		return err
	}
	began, before := time.Now(), metav1.NewTime(time.Now().Truncate(time.Second))
	revocation := &keywrightv1alpha1.Revocation{
		ObjectMeta: metav1.ObjectMeta{GenerateName: keyName + "-"},
		Spec: keywrightv1alpha1.RevocationSpec{
			SigningKey: keyName, Subject: "carol-5e2b", IssuedBefore: &before, TTLAfterExpiry: &metav1.Duration{Duration: time.Minute},
		},
	}
	if err := s.admin.Create(ctx, revocation); err != nil {
		return err
	}
	select {
	case err = <-s.sessionEnds:
	case <-time.After(s.bob.lag + 10*time.Second):
		return errors.New("carol's session continues after it was revoked")
	case <-ctx.Done():
		return ctx.Err()
	}
	if !errors.Is(err, errEnded) {
		return fmt.Errorf("carol's session: %w", err)
	}
	s.record("carol stayed logged in over %d rotations, and is logged out %.1f s after one Revocation", rotations, time.Since(began).Seconds())
	return nil
}
