// Package simulation tests the product as a whole: the real reconcilers over an API server in memory, the issuer's real reader of its
// files, and the real verifier, under random faults from a seed. It holds tests only. See docs/simulation.md.
package simulation
