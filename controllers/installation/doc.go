// Package installation determines which installation of Keywright reconciles the SigningKeys of a cluster.
package installation
