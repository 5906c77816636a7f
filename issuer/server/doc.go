// Package server serves the token endpoint, the key set and the metadata over HTTPS, serves metrics and probes, and
// reloads mounted files.
package server
