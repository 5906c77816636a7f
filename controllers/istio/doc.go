// Package istio reconciles the RequestAuthentications of SigningKeys with outputs.istio. They have the key set of the
// namespace's ConfigMap, for Istio's proxies. The package makes no decision about keys.
package istio
