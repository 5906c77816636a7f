// Package doctor finds faults that nothing else reports, in SigningKeys, pods, kubelets and issuers.
package doctor
