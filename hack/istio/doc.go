// Package istio lets Istio's own pilot read the RequestAuthentications that the controller writes, and looks at what it would send to Envoy. It is a
// module of its own, since pilot requires other versions of much.
package istio
