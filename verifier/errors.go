package verifier

import (
	"errors"
	"fmt"
)

// The reasons for rejecting a token, for errors.Is. Error messages do not contain any part of the token and can be
// logged. A client should learn only that its token is invalid, as with Middleware.
//
// The first five are returned before the signature is verified, for tokens of any origin. The others are returned
// only for tokens that a key of the set has signed.
var (
	// ErrMalformed is returned for a token that is not a JWS in compact serialization, is too long, or violates RFC
	// 7515, RFC 7519 or the rules of this package: for example with a duplicate member, an embedded key or a
	// fractional date.
	ErrMalformed = errors.New("malformed token")
	// ErrWrongAlgorithm is returned if alg is none, symmetric, unknown, or different from the alg of the key.
	ErrWrongAlgorithm = errors.New("wrong algorithm")
	// ErrUnknownKey is returned if no key of the set has the token's kid: the key was never in the set, or was
	// removed or revoked. If the set may be out of date, ErrKeysUnavailable is returned instead.
	ErrUnknownKey = errors.New("unknown key")
	// ErrNotDecrypted is returned for an encrypted token that no key of Config.DecryptionKeys decrypts.
	ErrNotDecrypted = errors.New("token not decrypted")
	// ErrBadSignature is returned if the signature is not valid for the key that kid names.
	ErrBadSignature = errors.New("bad signature")

	// ErrWrongType is returned if typ is missing or different from Config.Type, as with an ID token.
	ErrWrongType = errors.New("wrong token type")
	// ErrWrongIssuer is returned if iss is not in Config.Issuers, or the key belongs to another issuer.
	ErrWrongIssuer = errors.New("wrong issuer")
	// ErrWrongAudience is returned if aud does not contain Config.Audience.
	ErrWrongAudience = errors.New("wrong audience")
	// ErrExpired is returned if exp is in the past, by Config.ClockSkew or more.
	ErrExpired = errors.New("expired token")
	// ErrRevoked is returned if the revocation list names the token, its session, or its subject or client for the
	// time when it was issued. While the list has entries, it is also returned for a token without jti, or without a
	// readable auth_time or iat.
	ErrRevoked = errors.New("revoked token")
	// ErrProof is returned for a valid token if its sender does not prove possession of the key or certificate in
	// cnf, or if Config.Proof requires a bound token. For an invalid DPoP proof it also wraps the error of package
	// dpop.
	ErrProof = errors.New("no proof that the sender owns the token")
	// ErrNotYetValid is returned if nbf or iat is in the future, by more than Config.ClockSkew.
	ErrNotYetValid = errors.New("token not yet valid")
)

// ErrStaleKeySet is returned if the source of the keys could not be read for longer than Config.MaxStaleness. The
// token may be valid, so Middleware responds with 503.
var ErrStaleKeySet = errors.New("stale key set")

// ErrKeysUnavailable is returned for a token with an unknown kid while the source of its issuer's keys cannot be
// read, if the token is valid except for its signature. The key may be newer than the key set, so Middleware responds
// with 503.
var ErrKeysUnavailable = errors.New("keys unavailable")

// ErrNoToken is returned by VerifyRequest if the Authorization header is missing or has another scheme.
var ErrNoToken = errors.New("no token in the request")

// ErrClosed is returned by Verify after Close, and by a Verifier that New did not create. The token may be valid, so
// Middleware responds with 503.
var ErrClosed = errors.New("verifier is closed, or was not created by New")

// Errors of revocation lists that do not depend on the token, allocated once.
var (
	errAllEnded = fmt.Errorf("%w: all tokens that its issuer issued up to a certain time are revoked", ErrRevoked)
	errUnnamed  = fmt.Errorf("%w: the revocation list has entries, and the token cannot be compared with them: "+
		"it has no jti, neither auth_time nor iat, or an auth_time that is not an integer", ErrRevoked)
)

// Errors that any forged token causes, allocated once.
var (
	errUnknownKid = fmt.Errorf("%w: the key set has no key with its kid", ErrUnknownKey)
	errUnreadable = fmt.Errorf("%w: the key set has no key with its kid, and the source of the key set cannot be read", ErrKeysUnavailable)
	errForged     = fmt.Errorf("%w: it does not match the key that its kid names", ErrBadSignature)
)
