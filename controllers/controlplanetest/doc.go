// Package controlplanetest finds etcd, kube-apiserver and kubectl for tests.
package controlplanetest
