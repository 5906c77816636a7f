// Package controlplanetest finds the etcd, kube-apiserver and kubectl that tests run against. It is for tests only.
package controlplanetest
