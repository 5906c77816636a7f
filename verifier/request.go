package verifier

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// Verify returns the token if it is valid now. Otherwise the error is one of those in this package, for errors.Is, or
// that of ctx, which bounds the wait for a look at the source when the token's kid is unknown.
//
// It sees the token alone, so it refuses every token that is bound to its sender (cnf), with ErrProof: whoever sent it may have
// stolen it. With DPoPRequired it refuses all tokens. VerifyRequest checks what a token is bound to.
func (v *Verifier) Verify(ctx context.Context, token string) (*Token, error) {
	return v.verifyFrom(ctx, presented{text: token})
}

// VerifyRequest returns the token in the Authorization header of a request if it is valid now, and if the request comes from
// whom it is bound to: it is what Middleware asks. The error is that of Verify, ErrNoToken if there is no token, or ErrProof.
//
// A DPoP proof is good once: a second call for one request returns ErrProof.
func (v *Verifier) VerifyRequest(r *http.Request) (*Token, error) {
	scheme, credentials, err := v.sender.credentials(r.Header)
	if err != nil {
		return nil, err
	}
	return v.verifyFrom(r.Context(), presented{text: credentials, request: r, dpop: scheme == schemeDPoP})
}

func (v *Verifier) verifyFrom(ctx context.Context, as presented) (*Token, error) {
	if v.closed() {
		return nil, ErrClosed
	}
	now := v.now()
	token, err := v.verify(ctx, as.text, now)
	if err == nil {
		err = v.confirm(ctx, token, as, now)
	}
	v.observer.TokenVerified(reasonOf(err))
	if err != nil {
		return nil, err
	}
	return token, nil
}

// The authentication schemes (RFC 6750 section 2.1, RFC 9449 section 7.1), without regard to case.
const (
	schemeBearer = "Bearer"
	schemeDPoP   = "DPoP"
)

// credentials returns what the Authorization header holds, or ErrNoToken if nobody tried to present a token. Two headers are one
// too many: what stands in front of us may have checked the other.
func (s *sender) credentials(header http.Header) (scheme, token string, err error) {
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
