// Package fetched is the codec of the ConfigMap in which the fetcher hands the keys of TrustedIssuers to the controller.
package fetched
