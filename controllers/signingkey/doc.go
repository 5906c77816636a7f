// Package signingkey reconciles SigningKeys. Each pass observes (reads only), decides (a pure function of what was seen and the time) and
// applies (the only place that writes or hands over). It keeps the keyring, the signing-key Secret and the status of one SigningKey a work
// item, and hands to the distribution what every ConfigMap must hold.
package signingkey
