// Package installation tells one installation of Keywright in a cluster from another.
package installation
