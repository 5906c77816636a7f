package main

import (
	"regexp"
	"slices"
)

// dashed is a key ID that looks like a flag: a SHA-256 thumbprint in base64url (RFC 7638 section 3.1), as one in 64 is.
func dashed() *regexp.Regexp { return regexp.MustCompile(`^-[A-Za-z0-9_-]{42}$`) }

// kidsLast moves key IDs that look like flags behind all flags, where they are taken for what they are.
func kidsLast(args []string) []string {
	kid := dashed()
	if slices.Contains(args, "--") || !slices.ContainsFunc(args, kid.MatchString) {
		return args
	}
	var first, last []string
	for _, arg := range args {
		if kid.MatchString(arg) {
			last = append(last, arg)
		} else {
			first = append(first, arg)
		}
	}
	return slices.Concat(first, []string{"--"}, last)
}
