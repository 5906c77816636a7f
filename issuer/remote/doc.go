// Package remote reads the key sets and the metadata of other issuers over HTTPS.
package remote
