// Package issuerca parses the CA certificates of an issuer from the entry of a ConfigMap, and encodes them for
// services. It passes on only certificates, since it encodes each again.
package issuerca
