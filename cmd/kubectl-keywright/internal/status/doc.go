// Package status shows SigningKeys with their keys on a time line, TrustedIssuers, and public keys.
package status
