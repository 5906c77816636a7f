// Package podrefresh touches an annotation of the pods that may have mounted a revoked key, so that their kubelets renew the files at once.
package podrefresh
