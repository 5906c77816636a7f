// Package handover fetches the keys of TrustedIssuers, and hands them to the controller in the one ConfigMap that the fetcher may write.
package handover
