package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/cmd/commandline"
	"github.com/keywright/keywright/issuer/reload"
)

const (
	// betweenChecks is the time between two attempts to check a service.
	betweenChecks = time.Second
	// answerTimeout limits one request of a check, and longestAnswer its response or a file, in bytes.
	answerTimeout, longestAnswer = 10 * time.Second, 1 << 20
)

// checkService checks that an issuer serves its metadata at its URL, and the public keys that pods have.
func checkService(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("issuer check-service", flag.ContinueOnError)
	issuer := flags.String("url", "", "`URL` of the issuer, as in its configuration")
	address := flags.String("address", "", "`HOST:PORT` to connect to instead of the host of the URL, such as a Service")
	ca := flags.String("ca", "", "`FILE` with the CA or the certificate of the issuer, in PEM (default: the CAs of the system)")
	keySet := flags.String("key-set", "", "`FILE` with the key set that a pod has; the issuer must serve the same keys")
	timeout := flags.Duration("timeout", 2*time.Minute, "`DURATION` after which the check fails; files in pods can be 90s old")
	if _, err := parse(flags, args, out, 0, 0); err != nil {
		return err
	}
	base, err := url.Parse(*issuer)
	if err != nil || base.Scheme != "https" || base.Host == "" {
		return commandline.Usagef("--url must be an https URL, not %q", *issuer)
	}
	if *keySet == "" {
		return commandline.Usagef("--key-set is required")
	}
	client, err := clientOf(*address, *ca)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	for {
		keys, err := compareService(ctx, client, base, *keySet)
		if err == nil {
			_, err = fmt.Fprintf(out, "%s serves its metadata, and the %d keys of %s\n", *issuer, keys, *keySet)
			return err
		}
		if _, printErr := fmt.Fprintln(out, err); printErr != nil {
			return printErr
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: no check succeeded within %s: %w", *issuer, *timeout, err)
		case <-time.After(betweenChecks):
		}
	}
}

// clientOf returns a client that connects to an address, whatever the host of the URL is.
func clientOf(address, caFile string) (*http.Client, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS13}
	if caFile != "" {
		pem, err := reload.Read(caFile, longestAnswer)
		if err != nil {
			return nil, err
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no PEM certificate", caFile)
		}
	}
	transport := &http.Transport{TLSClientConfig: settings}
	if address != "" {
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}
	}
	return &http.Client{
		Transport: transport, Timeout: answerTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("an issuer must not redirect") },
	}, nil
}

// compareService reads the metadata (RFC 8414) and the key set of an issuer, and returns the number of its keys. It
// fails if they are not those of the URL and the file.
func compareService(ctx context.Context, client *http.Client, issuer *url.URL, keySetFile string) (int, error) {
	var metadata struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	path := strings.TrimSuffix(issuer.Path, "/")
	at := issuer.Scheme + "://" + issuer.Host + "/.well-known/oauth-authorization-server" + path
	body, err := fetch(ctx, client, at)
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(body, &metadata); err != nil {
		return 0, fmt.Errorf("%s: %w", at, err)
	}
	if metadata.Issuer != issuer.String() {
		return 0, fmt.Errorf("%s: issuer is %q, must be %q", at, metadata.Issuer, issuer)
	}
	body, err = fetch(ctx, client, metadata.JWKSURI)
	if err != nil {
		return 0, err
	}
	served, err := keyIDs(body)
	if err != nil {
		return 0, fmt.Errorf("%s %w", metadata.JWKSURI, err)
	}
	content, err := reload.Read(keySetFile, longestAnswer)
	if err != nil {
		return 0, err
	}
	mounted, err := keyIDs(content)
	if err != nil {
		return 0, fmt.Errorf("%s %w", keySetFile, err)
	}
	if len(mounted) == 0 || !slices.Equal(served, mounted) {
		return 0, fmt.Errorf("the issuer serves the keys %q, but %s has %q", served, keySetFile, mounted)
	}
	return len(mounted), nil
}

// keyIDs returns the sorted kids of a JWKS.
func keyIDs(jwks []byte) ([]string, error) {
	keys, err := issuerfiles.DecodeKeySet(jwks)
	var ids []string
	for i := range keys {
		ids = append(ids, keys[i].ID)
	}
	slices.Sort(ids)
	return ids, err
}

// fetch returns the body of a response with status 200.
func fetch(ctx context.Context, client *http.Client, at string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: status is %s, must be 200", at, response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, longestAnswer))
}
