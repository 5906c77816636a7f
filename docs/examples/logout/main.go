// Command logout is a backend with a button "log out everywhere": it ends all tokens that its caller got until now, in every service
// of the cluster, by a Revocation that it creates with the rights of its ServiceAccount.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/keywright/keywright/verifier"
)

func main() {
	v, err := verifier.New(verifier.Config{
		Issuers:  map[string]verifier.Source{os.Getenv("ISSUER"): verifier.File(os.Getenv("JWKS"))},
		Audience: os.Getenv("AUDIENCE"),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	api, err := newAPI(os.Getenv("SERVICE_ACCOUNT")) // /var/run/secrets/kubernetes.io/serviceaccount in a pod
	if err != nil {
		log.Fatal(err)
	}
	logout := func(w http.ResponseWriter, r *http.Request) {
		token, _ := verifier.FromContext(r.Context()) // its subject and nobody else's: nothing is taken from the request
		if err := api.endTokensOf(r.Context(), token.Subject()); err != nil {
			log.Print(err)
			http.Error(w, "You are not logged out. Try again.", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
	http.Handle("POST /logout-everywhere", v.Middleware(http.HandlerFunc(logout)))
	server := &http.Server{Addr: os.Getenv("ADDRESS"), ReadHeaderTimeout: 10 * time.Second}
	log.Print(server.ListenAndServe()) // use TLS: who can read a token can use it
}

// api is the API server of the cluster, as the pod's ServiceAccount.
type api struct {
	http.Client
	url, tokenFile string
}

func newAPI(directory string) (*api, error) {
	ca, err := os.ReadFile(filepath.Join(directory, "ca.crt")) //nolint:gosec // whoever runs this names the directory
	if err != nil {
		return nil, err
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(ca)
	host := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	return &api{
		Client: http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}}},
		url:    "https://" + host + "/apis/keywright.dev/v1alpha1/revocations", tokenFile: filepath.Join(directory, "token"),
	}, nil
}

// endTokensOf creates a Revocation, which the controller carries out and deletes a day after it has expired.
func (a *api) endTokensOf(ctx context.Context, subject string) error {
	token, err := os.ReadFile(a.tokenFile) // each time: the kubelet renews it
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{
		"apiVersion": "keywright.dev/v1alpha1", "kind": "Revocation", "metadata": map[string]any{"generateName": "main-"},
		"spec": map[string]any{
			"signingKey": "main", "subject": subject, "issuedBefore": time.Now().UTC().Format(time.RFC3339),
			"reason": "log out everywhere", "ttlAfterExpiry": "24h",
		},
	})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = http.Header{"Authorization": {"Bearer " + string(token)}, "Content-Type": {"application/json"}}
	response, err := a.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusCreated {
		return fmt.Errorf("the API server refuses the Revocation: %s", response.Status)
	}
	return nil
}
