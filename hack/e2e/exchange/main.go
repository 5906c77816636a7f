// Command exchange is a client in a pod that has nothing but its own mounts: it trades the token of its ServiceAccount for one of the issuer, whose
// certificate it verifies with the CA that is mounted with the public keys and with no other, and prints it.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

func main() {
	issuer := flag.String("issuer", "", "URL of the issuer")
	client := flag.String("client", "pods", "ID of the OAuth client")
	ca := flag.String("ca", "/var/run/keywright/jwks/main.tls-ca.crt", "file with the CA of the issuer")
	token := flag.String("token", "/var/run/secrets/tokens/issuer", "file with the token of the ServiceAccount")
	flag.Parse()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	for {
		got, err := exchange(ctx, *issuer, *client, *ca, *token)
		if err == nil {
			fmt.Println(got)
			return
		}
		fmt.Fprintln(os.Stderr, "exchange:", err)
		if errors.As(err, new(*tls.CertificateVerificationError)) || ctx.Err() != nil { // waiting does not help
			stop()
			os.Exit(1)
		}
		time.Sleep(time.Second)
	}
}

// exchange reads what is mounted, and asks once (RFC 8693 section 2.1).
func exchange(ctx context.Context, issuer, client, ca, token string) (string, error) {
	certificates, err := os.ReadFile(ca)
	if err != nil {
		return "", err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(certificates) {
		return "", fmt.Errorf("%s has no certificate", ca)
	}
	subject, err := os.ReadFile(token)
	if err != nil {
		return "", err
	}
	form := url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "client_id": {client},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"}, "subject_token": {strings.TrimSpace(string(subject))},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		AccessToken string `json:"access_token"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return "", fmt.Errorf("the issuer answered %s: %w", response.Status, err)
	}
	if answer.AccessToken == "" {
		return "", fmt.Errorf("the issuer answered %s, %s: %s", response.Status, answer.Error, answer.Description)
	}
	return answer.AccessToken, nil
}
