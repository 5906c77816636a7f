module github.com/keywright/keywright/verifier/fast

go 1.25.0

replace github.com/keywright/keywright/verifier => ../

require (
	filippo.io/edwards25519 v1.2.0
	filippo.io/nistec v0.0.4
	github.com/keywright/keywright/verifier v0.0.0
)

require (
	github.com/go-jose/go-jose/v4 v4.1.9 // indirect
	golang.org/x/sys v0.36.0 // indirect
)
