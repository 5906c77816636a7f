// Package dpop checks DPoP proofs (RFC 9449): by each of them a client shows, for one request, that it holds the private key that its
// token is bound to. Verifier and issuer check the same proofs with it.
//
// Check does what depends on the proof and the request alone. What depends on a clock, on a token or on what was seen before is the
// caller's: freshness, nonce, ath, the key of the token, and replays, for which there is Replays. A caller remembers a proof last,
// after all other checks: what is refused then costs nobody a place. Keys remembers the keys of clients that come again.
package dpop
