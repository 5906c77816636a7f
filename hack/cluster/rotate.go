package main

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"os"
)

// signServiceAccounts writes a new key for the tokens of ServiceAccounts, and its certificate.
func (c *cluster) signServiceAccounts() error {
	_, err := c.sign("service-accounts", nil, &x509.Certificate{Subject: pkix.Name{CommonName: "service-accounts"}})
	return err
}

// rotate starts the API server again, which signs the tokens of ServiceAccounts with a new key. It accepts those of the keys before, too.
func (c *cluster) rotate(ctx context.Context) error {
	const server = "kube-apiserver"
	file := c.path("pki", "service-accounts.crt")
	before, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := c.hold(ctx, server); err != nil {
		return err
	}
	if err := c.signServiceAccounts(); err != nil {
		return err
	}
	after, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(file, append(after, before...), 0o600), c.release(server))
}
