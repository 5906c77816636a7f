// Package interop runs Keywright's tokens and key sets through software that others wrote: the examples of the documentation,
// taken from its pages as they stand. `make interop` runs it; a runtime is one small file of tests.
package interop

import (
	// What the examples for Go import. They are built as they stand in the pages, so that nothing here imports it.
	_ "github.com/MicahParks/keyfunc/v3"
	_ "github.com/coreos/go-oidc/v3/oidc"
	_ "github.com/go-jose/go-jose/v4"
	_ "github.com/golang-jwt/jwt/v5"
	_ "github.com/lestrrat-go/jwx/v3/jwt"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "google.golang.org/grpc"
	_ "google.golang.org/grpc/health/grpc_health_v1"

	_ "github.com/keywright/keywright/verifier"
)
