// Package remote requests the key sets and the metadata of other issuers over HTTPS.
package remote
