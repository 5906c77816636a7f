// Package trustedissuer tells the distribution what the files of each TrustedIssuer must be, and reports how they are. It fetches nothing:
// the fetcher does, in a process without private keys, and every key that it hands over is checked again here.
package trustedissuer
