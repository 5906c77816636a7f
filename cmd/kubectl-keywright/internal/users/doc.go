// Package users lists and changes the users of an issuer, in a Secret or in a file.
package users
