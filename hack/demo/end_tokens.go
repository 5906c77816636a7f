package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/hack/demo/traffic"
)

// person logs in and calls the services by hand, beside the load.
type person struct {
	user     traffic.User
	http     *http.Client
	issuer   string
	services []string
	// lag is by how much the files of the services lag at most.
	lag time.Duration
}

// endTokens ends one of two tokens, then all of their user, who can log in again.
func (s *story) endTokens(ctx context.Context) error {
	first, err1 := s.bob.logIn(ctx)
	second, err2 := s.bob.logIn(ctx)
	if err1 != nil || err2 != nil {
		return fmt.Errorf("bob cannot log in: %w %w", err1, err2)
	}
	var claims struct{ Jti, Sub string }
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(first.Compact, ".")[1])
	if err == nil {
		err = json.Unmarshal(payload, &claims)
	}
	if err != nil {
		return err
	}
	if err := s.end(ctx, "one of bob's two tokens", first, keywrightv1alpha1.RevocationSpec{TokenID: claims.Jti}); err != nil {
		return err
	}
	if accepted, said := s.bob.accepted(ctx, second); !accepted && time.Now().Before(second.Expiry) {
		return fmt.Errorf("bob's other token is refused, too: %s", said)
	}
	if second, err = s.bob.logIn(ctx); err != nil {
		return fmt.Errorf("bob cannot log in although only one of his tokens is revoked: %w", err)
	}
	before := metav1.NewTime(time.Now().Truncate(time.Second))
	if err := s.end(ctx, "all tokens of bob", second, keywrightv1alpha1.RevocationSpec{Subject: claims.Sub, IssuedBefore: &before}); err != nil {
		return err
	}
	return s.logInAgain(ctx)
}

// end creates a Revocation, and waits until no service accepts the token any more.
func (s *story) end(ctx context.Context, what string, token traffic.Token, spec keywrightv1alpha1.RevocationSpec) error {
	spec.SigningKey = keyName
	spec.TTLAfterExpiry = &metav1.Duration{Duration: time.Minute}
	began := time.Now()
	if err := s.admin.Create(ctx, &keywrightv1alpha1.Revocation{ObjectMeta: metav1.ObjectMeta{GenerateName: keyName + "-"}, Spec: spec}); err != nil {
		return err
	}
	for time.Now().Before(token.Expiry) {
		if accepted, _ := s.bob.accepted(ctx, token); !accepted {
			s.record("%s revoked: refused everywhere after %.1f s", what, time.Since(began).Seconds())
			return nil
		}
		if time.Since(began) > s.bob.lag+2*time.Second {
			return fmt.Errorf("%s ended, and a service still accepts it after %v", what, time.Since(began))
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	s.record("%s ended: it expired before the files of all services had it", what)
	return nil
}

// logInAgain succeeds as soon as the clockSkew after the Revocation is over. Until then an issuer that has heard of it says when to come
// again, and a token of one that has not counts as issued before it.
func (s *story) logInAgain(ctx context.Context) error {
	began := time.Now()
	for {
		asked := time.Now()
		token, err := s.bob.logIn(ctx)
		if err == nil {
			accepted, said := s.bob.accepted(ctx, token)
			if accepted {
				s.record("bob logged in again after %.1f s", time.Since(began).Seconds())
				return nil
			}
			if asked.Sub(began) > clockSkew+time.Second {
				return fmt.Errorf("bob's new token is refused: %s", said)
			}
		}
		if time.Since(began) > 10*time.Second {
			return fmt.Errorf("bob cannot log in again: %w", err)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

func (p *person) logIn(ctx context.Context) (traffic.Token, error) {
	return traffic.LogIn(ctx, p.http, p.issuer, p.user)
}

// accepted reports whether any service accepts a token.
func (p *person) accepted(ctx context.Context, token traffic.Token) (accepted bool, said string) {
	load := &traffic.Load{HTTP: p.http}
	for _, service := range p.services {
		status, text, err := load.Show(ctx, service, token.Compact)
		if err != nil {
			text = err.Error()
		}
		accepted, said = accepted || status == http.StatusOK, said+" "+text
	}
	return accepted, said
}
