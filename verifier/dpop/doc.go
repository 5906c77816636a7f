// Package dpop verifies DPoP proofs (RFC 9449), with which a client shows, per request, that it holds the private key
// that its token is bound to. The verifier and the issuer share it.
//
// Check verifies what depends only on the proof and the request. The caller checks freshness, nonce, ath, the key of
// the token, and replays, for which there is Replays. Call Replays.Remember after all other checks, so that rejected
// proofs take no space. Keys caches the keys of recurring clients.
package dpop
