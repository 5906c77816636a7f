// Package verifiertest provides an in-memory issuer, clients with keys, and a mounted volume, for tests of services
// that verify tokens. Do not use it in production: an Issuer signs all tokens that it is asked for.
//
// A test of a handler needs three lines:
//
//	issuer := verifiertest.NewIssuer(t)
//	service := issuer.Verifier().Middleware(verifier.RequireScope("orders:read")(orders))
//	request.Header.Set("Authorization", "Bearer "+issuer.Token("alice", verifiertest.Scope("orders:read")))
package verifiertest
