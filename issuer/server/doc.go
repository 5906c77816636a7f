// Package server puts the token endpoint, the key set and the metadata behind HTTPS, with metrics and probes beside, and follows what is mounted.
package server
