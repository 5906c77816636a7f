module github.com/keywright/keywright

go 1.26.0

require github.com/keywright/keywright/verifier v0.0.0

replace github.com/keywright/keywright/verifier => ./verifier
