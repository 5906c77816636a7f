// Package cli is what all commands of the plugin share: the root command, the connection to the cluster, input, output and exit codes.
package cli
