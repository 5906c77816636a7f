// Package rotation decides the lifecycle of a SigningKey's keys: the content of the keyring, and the next moves.
//
// It is pure. Plan takes the time, the policy, the keyring and the observed projections, and returns the next keyring
// with the moves that lead to it. The caller generates keys, reads and writes. The simulation in this package's tests
// checks the invariants of Plan.
package rotation
