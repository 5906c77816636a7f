// Package verifier verifies access tokens: that an accepted issuer has signed them, that they are not expired or revoked,
// and that they are for this service. It reads the public keys of the issuer from a mounted file and sends no requests.
//
// Create one Verifier at start and share it:
//
//	v, err := verifier.New(verifier.Config{
//		Issuers: map[string]verifier.Source{
//			"https://issuer.example.com": verifier.File("/var/run/keywright/jwks/main.json"),
//		},
//		Audience: "https://orders.example.com",
//	})
//	if err != nil {
//		return err
//	}
//	defer v.Close()
//	mux.Handle("/orders", v.Middleware(verifier.RequireScope("orders:read")(orders)))
//
// The file is a JWK Set (RFC 7517). It may change at any time: from the next poll of the file on, new keys are accepted
// and removed keys rejected. If the file disappears or becomes invalid, the last valid set stays in use. A service
// outside the cluster uses HTTPS instead of File, and reads the set from the issuer.
//
// Tokens are JWTs (RFC 7519) in JWS compact serialization (RFC 7515 section 7.1), by default access tokens of the
// profile of RFC 9068. The key in the set determines the algorithm, and the alg of a token must equal it.
//
// A token may be bound to a key or a certificate of its sender (RFC 7800). VerifyRequest and Middleware then require a
// DPoP proof (RFC 9449), if Config.Proof allows it, or that certificate in TLS (RFC 8705). Verify rejects such tokens.
//
// Verified tokens are cached, and verified again in less than a microsecond, so callers need no cache of their own.
//
//go:generate go run ./internal/attacks
package verifier
