// Package simulation tests the whole product under random faults from a seed: the real reconcilers with an API server
// in memory, the issuer's real reader of its files, and the real verifier. It has only tests. See docs/simulation.md.
package simulation
