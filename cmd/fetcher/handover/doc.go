// Package handover fetches the keys of TrustedIssuers, and writes them into the only ConfigMap that the fetcher may
// write, for the controller.
package handover
