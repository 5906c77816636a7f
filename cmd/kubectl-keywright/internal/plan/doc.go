// Package plan computes the next rotations of a SigningKey without a cluster.
package plan
