// Package verifier decides whether a bearer token is genuine, unexpired and meant for this service, from one mounted
// file of public keys and nothing else: no request leaves the process.
//
// A service makes one Verifier at start and keeps it:
//
//	v, err := verifier.New(verifier.Config{
//		Issuer:     "https://issuer.example.com",
//		Audience:   "https://orders.example.com",
//		KeySetFile: "/var/run/keywright/jwks/main.json",
//	})
//	if err != nil {
//		return err
//	}
//	defer v.Close()
//	mux.Handle("/orders", v.Middleware(verifier.RequireScope("orders:read")(orders)))
//
// The file is a JWK Set (RFC 7517). It may change at any time: a new key is used, and a key that is gone is refused,
// from the next look at the file on. A file that vanishes or breaks changes nothing: the last good set stays in use.
//
// Tokens are JWTs (RFC 7519) in JWS compact serialization (RFC 7515 section 7.1), by default access tokens of the
// profile of RFC 9068. The algorithm is the one that the key in the file names; a token can only agree.
package verifier
