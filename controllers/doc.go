// Package controllers owns the reconciliation of SigningKeys: the signingkey controller keeps the truth, the signing-key
// Secret and the status; the distribution controller keeps the ConfigMap of one namespace a work item.
package controllers
