module github.com/keywright/keywright/hack/e2e

go 1.26.0

require github.com/keywright/keywright/hack/demo v0.0.0

replace (
	github.com/keywright/keywright => ../..
	github.com/keywright/keywright/hack/demo => ../demo
	github.com/keywright/keywright/hack/images => ../images
	github.com/keywright/keywright/verifier => ../../verifier
)
