// Package rotation owns the life of a SigningKey's keys: what the keyring says, and what should happen next.
//
// It is pure. Plan takes the time, the policy, the keyring and what was observed of its projections, and returns the
// next keyring with the moves that lead to it; generating keys, reading and writing are the caller's. The invariants
// that Plan keeps, whatever fails between its calls, are asserted by the simulation in this package's tests.
package rotation
