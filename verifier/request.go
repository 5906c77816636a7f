package verifier

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// Verify returns the token if it is valid now. Otherwise it returns one of the errors of this package, for errors.Is,
// or the error of ctx. ctx limits the wait for a poll of the source if the token's kid is unknown.
//
// Verify sees no request, so it rejects every token that is bound to its sender (cnf) with ErrProof. With
// DPoPRequired it rejects all tokens. VerifyRequest verifies such tokens.
func (v *Verifier) Verify(ctx context.Context, token string) (*Token, error) {
	return v.verifyCredentials(ctx, credentials{token: token})
}

// VerifyRequest returns the token in the Authorization header of a request if it is valid now and the request comes
// from its owner. Middleware calls it. The error is that of Verify, ErrNoToken if there is no token, or ErrProof.
//
// A DPoP proof is valid once: a second call for the same request returns ErrProof.
func (v *Verifier) VerifyRequest(r *http.Request) (*Token, error) {
	scheme, token, err := v.senderVerifier.parseAuthorization(r.Header)
	if err != nil {
		return nil, err
	}
	return v.verifyCredentials(r.Context(), credentials{token: token, request: r, dpop: scheme == schemeDPoP})
}

func (v *Verifier) verifyCredentials(ctx context.Context, sent credentials) (*Token, error) {
	if v.closed() {
		return nil, ErrClosed
	}
	now := v.now()
	token, err := v.verify(ctx, sent.token, now)
	if err == nil {
		err = v.verifySender(ctx, token, sent, now)
	}
	v.observer.TokenVerified(reasonOf(err))
	if err != nil {
		return nil, err
	}
	return token, nil
}

// The authentication schemes (RFC 6750 section 2.1, RFC 9449 section 7.1), which are case-insensitive.
const (
	schemeBearer = "Bearer"
	schemeDPoP   = "DPoP"
)

// parseAuthorization returns the scheme and the token of the Authorization header, or ErrNoToken if there is no
// supported scheme. It rejects a second header, because a proxy may have checked the other one.
func (s *senderVerifier) parseAuthorization(header http.Header) (scheme, token string, err error) {
	values := header.Values("Authorization")
	if len(values) > 1 {
		return "", "", fmt.Errorf("%w: more than one Authorization header", ErrMalformed)
	}
	if len(values) == 0 {
		return "", "", ErrNoToken
	}
	scheme, rest, _ := strings.Cut(values[0], " ")
	switch {
	case strings.EqualFold(scheme, schemeBearer):
		scheme = schemeBearer
	case s.proof != Bearer && strings.EqualFold(scheme, schemeDPoP):
		scheme = schemeDPoP
	default:
		return "", "", ErrNoToken
	}
	return scheme, strings.TrimLeft(rest, " "), nil
}
