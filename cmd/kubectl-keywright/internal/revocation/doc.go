// Package revocation creates Revocations, lists them, and writes them as rules for other software.
package revocation
