module github.com/keywright/keywright/hack/issuerbench

go 1.26.0

require (
	github.com/keywright/keywright v0.0.0
	golang.org/x/crypto v0.58.0
)

replace github.com/keywright/keywright => ../..

replace github.com/keywright/keywright/verifier => ../../verifier
