// Package jwtverify checks JWTs that others signed: the assertions of clients, and tokens that are exchanged.
package jwtverify
