// Package health tests the conditions: what GitOps tools make of them (kstatus, which Flux uses, and the script for Argo CD in docs/gitops.md),
// and that a page says of each reason what to do.
package health
