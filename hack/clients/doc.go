// Package clients has tests alone: clients that nobody here wrote get tokens from a running issuer and verify them. It is a
// module of its own, so that none of them is a dependency of the product.
package clients
