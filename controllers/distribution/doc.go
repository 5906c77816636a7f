// Package distribution keeps the ConfigMap of public keys of every namespace: one namespace is one work item, and its ConfigMap is
// composed of the files of all SigningKeys that belong there.
package distribution
