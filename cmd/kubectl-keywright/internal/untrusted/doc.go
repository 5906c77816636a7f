// Package untrusted decodes tokens without verifying them, and formats what they contain so that it is safe to print.
package untrusted
