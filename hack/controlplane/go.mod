module github.com/keywright/keywright/hack/controlplane

go 1.26.0
