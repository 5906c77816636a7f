// Package distribution reconciles the ConfigMaps of public keys. A work item is one namespace, whose ConfigMap has the
// files of all SigningKeys and TrustedIssuers that select it.
package distribution
