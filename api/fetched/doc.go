// Package fetched encodes and decodes the ConfigMap in which the fetcher passes the keys of TrustedIssuers to the
// controller.
package fetched
