// Package health tests what GitOps tools make of a SigningKey: kstatus, which Flux uses, and the script for Argo CD that docs/gitops.md shows.
package health
