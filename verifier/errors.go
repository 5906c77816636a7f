package verifier

import (
	"errors"
	"fmt"
)

// Why a token was refused, for errors.Is. The messages around them say what was wrong without a byte of the token, so
// that they can be logged; a client should learn no more than that its token is invalid, as Middleware does.
//
// The first five are found before the signature is known to be good: the token may come from anybody. The others are
// said only of tokens that a key of the set has signed.
var (
	// ErrMalformed: not a JWS in compact serialization, or its header or claims break the rules of RFC 7515, RFC 7519
	// or this package (a duplicate member, an embedded key, a date that is no integer, a token that is too long).
	ErrMalformed = errors.New("malformed token")
	// ErrWrongAlgorithm: alg is none, symmetric, unknown, or not the one of the key that kid names.
	ErrWrongAlgorithm = errors.New("wrong algorithm")
	// ErrUnknownKey: no key of the set has the token's kid. It was never there, or it was removed or revoked.
	// ErrKeysUnavailable is returned instead where the set may be an old one.
	ErrUnknownKey = errors.New("unknown key")
	// ErrNotDecrypted: the token is encrypted, and not for a key of Config.DecryptionKeys.
	ErrNotDecrypted = errors.New("not decrypted")
	// ErrBadSignature: the key that kid names did not sign this.
	ErrBadSignature = errors.New("bad signature")

	// ErrWrongType: typ is absent or another than Config.Type: an ID token, for example, is no access token.
	ErrWrongType = errors.New("wrong token type")
	// ErrWrongIssuer: iss is not one of Config.Issuers, or not the one whose key signed it.
	ErrWrongIssuer = errors.New("wrong issuer")
	// ErrWrongAudience: aud does not name Config.Audience: the token is for another service.
	ErrWrongAudience = errors.New("wrong audience")
	// ErrExpired: exp lies in the past, by Config.ClockSkew or more.
	ErrExpired = errors.New("expired token")
	// ErrRevoked: the revocation list beside the key set ends the token, its session, or all tokens that its subject or
	// client got before a time; or it ends any, and the token has no jti, or no readable auth_time or iat.
	ErrRevoked = errors.New("revoked token")
	// ErrProof: the token is valid, and its sender has not shown what it is bound to, by a DPoP proof or a TLS client certificate
	// (cnf); or Config.Proof asks for more than a bearer token. Of a proof that was refused it also wraps the error of package dpop.
	ErrProof = errors.New("no proof that the sender owns the token")
	// ErrNotYetValid: nbf or iat lies in the future, by more than Config.ClockSkew.
	ErrNotYetValid = errors.New("token not yet valid")
)

// ErrStaleKeySet is returned when the source of the keys could not be read for longer than Config.MaxStaleness. It says
// nothing about the token: Middleware answers it with 503.
var ErrStaleKeySet = errors.New("stale key set")

// ErrKeysUnavailable is returned for a token whose kid is unknown while the source of its issuer's keys cannot be read:
// the key may have been published since the last good look. Only a token that such a key would make valid gets it. It
// says nothing about the token: Middleware answers it with 503.
var ErrKeysUnavailable = errors.New("keys unavailable")

// ErrNoToken is returned by VerifyRequest when the Authorization header is missing or has another scheme.
var ErrNoToken = errors.New("no token in the request")

// ErrClosed is returned by Verify after Close, and by a Verifier that New did not make. It says nothing about the
// token: Middleware answers it with 503.
var ErrClosed = errors.New("verifier is closed, or was not made by New")

// What tokens get while the revocation list of their issuer ends any, made once.
var (
	errAllEnded = fmt.Errorf("%w: all tokens of its issuer that are as old ended", ErrRevoked)
	errUnnamed  = fmt.Errorf("%w: some tokens of its issuer ended, and this one cannot be told from them: "+
		"it has no jti, no auth_time or iat, or an auth_time that is no integer", ErrRevoked)
)

// What a flood of forged tokens gets, made once.
var (
	errUnknownKid = fmt.Errorf("%w: no key of the set has its kid", ErrUnknownKey)
	errUnreadable = fmt.Errorf("%w: no key of the set has its kid, and the source of the set cannot be read", ErrKeysUnavailable)
	errForged     = fmt.Errorf("%w: not made by the key that its kid names", ErrBadSignature)
)
