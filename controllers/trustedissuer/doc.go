// Package trustedissuer gives the distribution the files of each TrustedIssuer, and updates its status. It fetches
// nothing. The fetcher does that, in a process without private keys, and every key from it is checked again here.
package trustedissuer
