package verifier

import (
	"crypto/sha256"
	"fmt"
	"time"
)

// binding ties the keys of one source to its issuers: they sign for nobody else, and nobody else for these.
type binding struct {
	issuers []string // sorted
	policy  policy
	feed    *feed
}

func newBinding(issuers []string, keys *feed, config Config) binding {
	return binding{issuers: issuers, feed: keys, policy: policy{
		audience: config.Audience, mediaType: mediaType(config.Type), skew: config.ClockSkew,
	}}
}

// recall returns the token that the current keys have accepted before, or why it is no longer valid; neither if it is
// not remembered.
func (b *binding) recall(digest *[sha256.Size]byte, now time.Time) (*Token, error) {
	token := b.feed.current.Load().verified.find(digest)
	if token == nil {
		return nil, nil
	}
	if err := b.policy.checkTimes(token, now); err != nil {
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
	accepted, err := b.policy.accept(verified, b.issuers, now)
	if err != nil {
		return nil, err
	}
	if err := b.checkAge(now); err != nil {
		return nil, err
	}
	keys.verified.keep(digest, accepted)
	return accepted, nil
}

// checkAge refuses to go on with keys that were not seen at their source for longer than Config.MaxStaleness.
func (b *binding) checkAge(now time.Time) error {
	if b.feed.stale(now) {
		return fmt.Errorf("%w: its source cannot be read", ErrStaleKeySet)
	}
	return nil
}
