// Command service is an example of what an application does: it mounts the public keys, imports the verifier, and asks
// nobody. A request with a valid token is greeted; any other gets 401.
package main

import (
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/keywright/keywright/verifier"
)

func main() {
	address := flag.String("address", "127.0.0.1:9443", "HTTPS address")
	name := flag.String("name", "shop", "name of the service")
	issuer := flag.String("issuer", "", "whose tokens are accepted")
	keys := flag.String("keys", "", "mounted key set of that issuer")
	cert := flag.String("cert", "", "TLS certificate")
	key := flag.String("key", "", "TLS key")
	typ := flag.String("type", "", "typ of the tokens; at+jwt if empty")
	flag.Parse()
	if err := serve(*address, *name, *issuer, *keys, *cert, *key, *typ); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(address, name, issuer, keys, cert, key, typ string) error {
	v, err := verifier.New(verifier.Config{
		Issuers:   map[string]verifier.Source{issuer: verifier.File(keys)},
		Audience:  "https://" + name + ".example.com",
		Type:      typ,
		ClockSkew: time.Second, PollInterval: 100 * time.Millisecond,
		Logger: slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		return err
	}
	defer v.Close()
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := verifier.FromContext(r.Context())
		_, _ = fmt.Fprintf(w, "%s: hello %s, your token was signed by key %s\n", name, token.Subject(), token.KeyID())
	})
	server := &http.Server{Addr: address, Handler: v.Middleware(hello), ReadHeaderTimeout: 5 * time.Second}
	return server.ListenAndServeTLS(cert, key)
}
