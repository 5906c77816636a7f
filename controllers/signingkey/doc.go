// Package signingkey reconciles SigningKeys: their keyrings, signing-key Secrets and statuses. A work item is one
// SigningKey. Each pass observes (only reads), decides (a pure function of observations and time) and applies (only
// writes). It gives the distribution the files of every ConfigMap.
package signingkey
