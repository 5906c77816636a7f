module github.com/keywright/keywright/hack/mutate

go 1.26.0
