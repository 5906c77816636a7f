package main

import (
	"regexp"
	"slices"
)

// dashed is a key ID that looks like a flag: a SHA-256 thumbprint in base64url (RFC 7638 section 3.1), as one in 64 is.
func dashed() *regexp.Regexp { return regexp.MustCompile(`^-[A-Za-z0-9_-]{42}$`) }

// kidsLast moves key IDs that look like flags behind all flags, where they are taken for what they are. What stands behind a flag that
// takes such a value stays its value.
func kidsLast(args []string) []string {
	kid := dashed()
	if slices.Contains(args, "--") || !slices.ContainsFunc(args, kid.MatchString) {
		return args
	}
	valued := []string{"--key", "--jti", "--session", "--subject", "--client", "--reason"}
	var first, last []string
	for i, arg := range args {
		if kid.MatchString(arg) && (i == 0 || !slices.Contains(valued, args[i-1])) {
			last = append(last, arg)
		} else {
			first = append(first, arg)
		}
	}
	if len(last) == 0 {
		return args
	}
	return slices.Concat(first, []string{"--"}, last)
}
