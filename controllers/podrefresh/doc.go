// Package podrefresh nudges the pods that may have mounted a revoked key: it changes an annotation, so that their
// kubelets renew the files at once.
package podrefresh
