// Package issuerca reads the CA certificates of an issuer from what somebody wrote into a ConfigMap, and writes them for the services. Nothing but
// certificates gets through: each is parsed, and encoded again.
package issuerca
