// Package server answers clients: the token endpoint, the key set and the metadata over HTTPS, metrics and probes beside.
package server
