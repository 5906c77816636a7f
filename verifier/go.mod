module github.com/keywright/keywright/verifier

go 1.25.0

require github.com/go-jose/go-jose/v4 v4.1.9

require github.com/google/go-cmp v0.7.0
