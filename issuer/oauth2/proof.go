package oauth2

import (
	"errors"
	"net/http"
	"time"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/session"
	"github.com/keywright/keywright/verifier/dpop"
)

const (
	// proofLifetime is the tolerance for the iat of a proof without a nonce, in both directions.
	proofLifetime = time.Minute
	// maxProofs is the maximum number of stored proofs.
	maxProofs = 200_000
)

// checkProof verifies the DPoP proof (RFC 9449 sections 4.3 and 5), if there is one. storeProof detects replays
// later, after all other checks.
func (e *Endpoint) checkProof(c *call, header http.Header) *Error {
	fields := header.Values(dpop.Header)
	if len(fields) == 0 {
		if c.client.DPoPBoundAccessTokens {
			return invalidProof("this client must send a proof (RFC 9449 section 5)")
		}
		return nil
	}
	proof, err := e.dpopKeys.Check(fields, http.MethodPost, c.settings.TokenEndpoints()...)
	if err != nil {
		return invalidProof(err.Error())
	}
	now := e.now()
	c.proofUntil = proof.IssuedAt.Add(proofLifetime)
	if proof.Nonce != "" {
		until, ok := session.CheckNonce(c.key.Sealing, proof.Nonce, now, c.key.ClockSkew)
		if !ok {
			return c.useNonce("the nonce is too old, or is not from this issuer")
		}
		c.proof, c.proofUntil = proof, until
		return nil
	}
	off := now.Sub(proof.IssuedAt).Abs()
	switch _, sealing := c.key.Sealing.InUse(); {
	case c.client.DPoPRequireNonce:
		return c.useNonce("this client must use a nonce")
	case off > proofLifetime && sealing: // the clocks of phones may be off by hours
		return c.useNonce("iat differs from the current time by more than a minute: use a nonce")
	case off > proofLifetime:
		return invalidProof("iat differs from the current time by more than a minute")
	}
	c.proof = proof
	return nil
}

// useNonce requests a proof with the nonce in the response (RFC 9449 section 8).
func (c *call) useNonce(why string) *Error {
	if _, ok := c.key.Sealing.InUse(); !ok {
		return invalidProof(why + ". This issuer offers no nonces, because the SigningKey has no sessions")
	}
	return badRequest("use_dpop_nonce", why)
}

// storeProof stores the proof and rejects a replayed one.
func (e *Endpoint) storeProof(c *call) *Error {
	if c.proof == nil {
		return nil
	}
	switch err := e.proofs.Remember(c.proof, c.proofUntil, e.now()); {
	case errors.Is(err, dpop.ErrFull):
		return Unavailable("too many proofs in a short time", 5)
	case err != nil:
		return invalidProof(err.Error())
	}
	return nil
}

// offerNonce sends the next nonce to a client that sends proofs.
func (e *Endpoint) offerNonce(w http.ResponseWriter, r *http.Request) {
	if len(r.Header.Values(dpop.Header)) == 0 {
		return
	}
	key, ok := e.keys()
	if !ok {
		return
	}
	if used, ok := key.Sealing.InUse(); ok {
		w.Header().Set(dpop.NonceHeader, session.Nonce(used, e.now()))
	}
}

func invalidProof(description string) *Error { return badRequest("invalid_dpop_proof", description) }

// dpopThumbprint returns the thumbprint of the key that the access token is bound to, or "" for a bearer token.
func (c *call) dpopThumbprint() string {
	if c.proof == nil || !c.client.DPoPBoundAccessTokens {
		return ""
	}
	return c.proof.Thumbprint
}

// newProofs returns a store for proofs. Those without a nonce are valid for two minutes, those with one for
// session.NonceLifetime.
func newProofs() *dpop.Replays { return dpop.NewReplays(maxProofs) }

// mayRefresh reports whether a login gets a refresh token, which must be bound to a key or to client authentication.
func mayRefresh(client *config.Client, proof *dpop.Proof) bool {
	return client.Refresh != nil && (proof != nil || !client.Refresh.DPoP && !client.Public)
}
