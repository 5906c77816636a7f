// Package verifiertest has what the tests of a service that verifies tokens need: an issuer in memory, clients that hold a key, and a
// mounted volume that changes as a kubelet changes it. Nothing of it is for production: its keys are made for one test, and an
// Issuer signs whatever it is asked to.
//
// A handler is tested in three lines:
//
//	issuer := verifiertest.NewIssuer(t)
//	service := issuer.Verifier().Middleware(verifier.RequireScope("orders:read")(orders))
//	request.Header.Set("Authorization", "Bearer "+issuer.Token("alice", verifiertest.Scope("orders:read")))
package verifiertest
