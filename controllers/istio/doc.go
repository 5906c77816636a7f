// Package istio keeps the RequestAuthentications of SigningKeys with outputs.istio: the key set of a namespace's ConfigMap, in the form that
// the proxies of Istio are given. It follows the ConfigMap and decides nothing about keys.
package istio
