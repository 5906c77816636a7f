// Package verifier decides whether an access token is genuine, unexpired and meant for this service. It needs the public
// keys of the issuer, from a mounted file, and nothing else: no request leaves the process.
//
// A service makes one Verifier at start and keeps it:
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
// The file is a JWK Set (RFC 7517). It may change at any time: a new key is used, and a key that is gone is refused,
// from the next look at the file on. A file that vanishes or breaks changes nothing: the last good set stays in use. A
// service outside the cluster reads the set from the issuer instead, with HTTPS in the place of File.
//
// Tokens are JWTs (RFC 7519) in JWS compact serialization (RFC 7515 section 7.1), by default access tokens of the
// profile of RFC 9068. The algorithm is the one that the key in the set names; a token can only agree.
//
// A token may be bound to a key or a certificate of its sender (RFC 7800). VerifyRequest and Middleware then ask for a DPoP proof
// (RFC 9449), if Config.Proof has it, or for that certificate in TLS (RFC 8705), and Verify refuses the token.
//
// A token is checked in little more than the time of its signature, and in less than a microsecond when it comes again:
// there is nothing to gain by remembering tokens oneself.
//
//go:generate go run ./internal/attacks
package verifier
