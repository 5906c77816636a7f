package verifier

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/keywright/keywright/verifier/internal/jws"
)

// issuerVerifier verifies the tokens of the issuers that share one source. Keys of one source are never used for the
// tokens of another.
type issuerVerifier struct {
	issuers []string // sorted
	policy  policy
	poller  *poller
}

func newIssuerVerifier(issuers []string, keys *poller, config Config, challenges *challenges) issuerVerifier {
	return issuerVerifier{issuers: issuers, poller: keys, policy: policy{
		audience: config.Audience, mediaType: jws.MediaType(config.Type), skew: config.ClockSkew, expSkew: config.ClockSkew,
		challenges: challenges,
	}}
}

// policyFor returns the policy for a snapshot. It limits the skew of exp to the clock skew of the revocation list,
// because an entry leaves the list once that skew has passed.
func (v *issuerVerifier) policyFor(keys *snapshot) policy {
	p := v.policy
	if skew := keys.revocations.skew; skew > 0 {
		p.expSkew = min(p.expSkew, skew)
	}
	return p
}

// cachedToken returns the cached token for a digest, or an error if the token is no longer valid. It returns nil, nil
// if the token is not in the cache.
func (v *issuerVerifier) cachedToken(digest *[sha256.Size]byte, now time.Time) (*Token, error) {
	keys := v.poller.current.Load()
	token := keys.cache.get(digest)
	if token == nil {
		return nil, nil
	}
	if err := v.policyFor(keys).checkTimes(token, now); err != nil {
		return nil, err
	}
	if err := v.checkStaleness(now); err != nil {
		return nil, err
	}
	return token, nil
}

// verify returns the token if the snapshot's keys, the policy and the revocation list accept it.
func (v *issuerVerifier) verify(keys *snapshot, token string, digest *[sha256.Size]byte, now time.Time) (*Token, error) {
	verified, err := keys.verify(token)
	if err != nil {
		return nil, err
	}
	accepted, err := v.policyFor(keys).validate(verified, v.issuers, now)
	if err != nil {
		return nil, err
	}
	if err := keys.revocations.check(accepted); err != nil {
		return nil, err
	}
	if err := v.checkStaleness(now); err != nil {
		return nil, err
	}
	keys.cache.add(digest, accepted)
	return accepted, nil
}

// verifyRefreshed calls verify after a poll of the source, for a token whose kid is not in the tried snapshot.
func (v *issuerVerifier) verifyRefreshed(
	ctx context.Context, tried *snapshot, token string, digest *[sha256.Size]byte, now time.Time,
) (*Token, error) {
	keys, readable, err := v.poller.refresh(ctx, tried)
	if err != nil {
		return nil, fmt.Errorf("waiting for the key set: %w", err)
	}
	refusal := errUnknownKid
	if keys != tried {
		var accepted *Token
		if accepted, refusal = v.verify(keys, token, digest, now); refusal == nil {
			return accepted, nil
		}
	}
	if !readable && errors.Is(refusal, ErrUnknownKey) && v.validExceptSignature(keys, token, now) {
		return nil, errUnreadable
	}
	return nil, refusal
}

// validExceptSignature reports whether a token with an unknown kid passes all checks except that of the signature.
func (v *issuerVerifier) validExceptSignature(keys *snapshot, token string, now time.Time) bool {
	segments := splitToken(token)
	head, _ := parseHeader(segments[0])         // the claims are still validated, without a typ
	payload, _ := decodeSegment(1, segments[1]) // claims that do not decode are rejected below
	_, err := decodeSegment(2, segments[2])     // the signature is decoded, and not verified
	if err != nil {
		return false
	}
	accepted, err := v.policyFor(keys).validate(signed{payload: string(payload), kid: head.kid, typ: head.typ}, v.issuers, now)
	return err == nil && keys.revocations.check(accepted) == nil
}

// checkStaleness returns ErrStaleKeySet if the source was last read longer than Config.MaxStaleness ago.
func (v *issuerVerifier) checkStaleness(now time.Time) error {
	if v.poller.stale(now) {
		return fmt.Errorf("%w: its source cannot be read", ErrStaleKeySet)
	}
	return nil
}
