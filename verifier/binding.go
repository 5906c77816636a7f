package verifier

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/keywright/keywright/verifier/internal/jws"
)

// binding ties the keys of one source to its issuers: they sign for nobody else, and nobody else for these.
type binding struct {
	issuers []string // sorted
	policy  policy
	feed    *feed
}

func newBinding(issuers []string, keys *feed, config Config, challenges *challenges) binding {
	return binding{issuers: issuers, feed: keys, policy: policy{
		audience: config.Audience, mediaType: jws.MediaType(config.Type), skew: config.ClockSkew, expSkew: config.ClockSkew,
		challenges: challenges,
	}}
}

// policyWith is the policy under a generation. An entry leaves the list when no token that it names can be valid any more by the
// clock skew of the SigningKey. So a token lives no longer past its exp than that, also when the list is empty again.
func (b *binding) policyWith(keys *generation) policy {
	p := b.policy
	if skew := keys.revoked.skew; skew > 0 {
		p.expSkew = min(p.expSkew, skew)
	}
	return p
}

// recall returns the token that the current keys have accepted before, or why it is no longer valid; neither if it is
// not remembered.
func (b *binding) recall(digest *[sha256.Size]byte, now time.Time) (*Token, error) {
	keys := b.feed.current.Load()
	token := keys.verified.find(digest)
	if token == nil {
		return nil, nil
	}
	if err := b.policyWith(keys).checkTimes(token, now); err != nil {
		return nil, err
	}
	if err := b.checkAge(now); err != nil {
		return nil, err
	}
	return token, nil
}

// verify returns the token if these keys, and the policy, accept it for one of the issuers.
func (b *binding) verify(keys *generation, token string, digest *[sha256.Size]byte, now time.Time) (*Token, error) {
	verified, err := keys.verify(token)
	if err != nil {
		return nil, err
	}
	accepted, err := b.policyWith(keys).accept(verified, b.issuers, now)
	if err != nil {
		return nil, err
	}
	if err := keys.revoked.check(accepted); err != nil {
		return nil, err
	}
	if err := b.checkAge(now); err != nil {
		return nil, err
	}
	keys.verified.keep(digest, accepted)
	return accepted, nil
}

// retry is verify after a look at the source, for a token whose kid is not among the keys that were tried.
func (b *binding) retry(
	ctx context.Context, tried *generation, token string, digest *[sha256.Size]byte, now time.Time,
) (*Token, error) {
	keys, readable, err := b.feed.ask(ctx, tried)
	if err != nil {
		return nil, fmt.Errorf("waiting for the key set: %w", err)
	}
	refusal := errUnknownKid
	if keys != tried {
		var accepted *Token
		if accepted, refusal = b.verify(keys, token, digest, now); refusal == nil {
			return accepted, nil
		}
	}
	if !readable && errors.Is(refusal, ErrUnknownKey) && b.awaits(keys, token, now) {
		return nil, errUnreadable
	}
	return nil, refusal
}

// awaits reports whether a token whose kid is unknown would be accepted if a key of this source had signed it. The
// signature is not looked at.
func (b *binding) awaits(keys *generation, token string, now time.Time) bool {
	segments := splitToken(token)
	head, _ := parseHeader(segments[0])         // without a header there is no typ
	payload, _ := decodeSegment(1, segments[1]) // without bytes there are no claims
	_, err := decodeSegment(2, segments[2])     // nothing else looks at the signature
	if err != nil {
		return false
	}
	accepted, err := b.policyWith(keys).accept(signed{payload: string(payload), kid: head.kid, typ: head.typ}, b.issuers, now)
	return err == nil && keys.revoked.check(accepted) == nil
}

// checkAge refuses to go on with keys that were not seen at their source for longer than Config.MaxStaleness.
func (b *binding) checkAge(now time.Time) error {
	if b.feed.stale(now) {
		return fmt.Errorf("%w: its source cannot be read", ErrStaleKeySet)
	}
	return nil
}
