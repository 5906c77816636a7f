// Command load is a client in a pod: it logs in at the issuer and calls the services, at a steady rate. GET /report says what came of it;
// POST /revoke?kid=… tells it that a key is about to be revoked.
package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/keywright/keywright/hack/demo/traffic"
	"github.com/keywright/keywright/hack/e2e/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	issuers := flag.String("issuers", "", "URLs of the issuers, with commas between them: the next is asked when one does not answer")
	services := flag.String("services", "", "URLs of the services, with commas between them")
	user := flag.String("user", "alice", "who logs in")
	password := flag.String("password", "", "file with the password")
	cas := flag.String("cas", "", "files of the CAs that are trusted, a glob pattern")
	late := flag.Duration("late", 0, "from when on after a revocation no token of the key may be accepted")
	calls := flag.Int("calls", 100, "calls a second")
	flag.Parse()
	secret, err := os.ReadFile(*password)
	if err != nil {
		return err
	}
	pool, err := trusted(*cas)
	if err != nil {
		return err
	}
	latencies := report.NewLatencies()
	l := &traffic.Load{
		HTTP: traffic.NewClient(pool), User: traffic.User{Name: *user, Password: strings.TrimSpace(string(secret))},
		Issuers: strings.Split(*issuers, ","), Services: strings.Split(*services, ","), Ledger: traffic.NewLedger(*late), Logins: 4, Calls: *calls,
		Patience: 15 * time.Second, // three requests that nobody answers
		Took:     latencies.Add,
	}
	http.HandleFunc("GET /report", func(w http.ResponseWriter, _ *http.Request) {
		tally, problems := l.Ledger.Snapshot()
		_ = json.NewEncoder(w).Encode(report.Report{Tally: tally, Problems: problems, Latencies: latencies.Quantiles()})
	})
	http.HandleFunc("POST /revoke", func(_ http.ResponseWriter, r *http.Request) { l.Ledger.Revoke(r.FormValue("kid")) })
	server := &http.Server{Addr: ":8080", ReadHeaderTimeout: 5 * time.Second}
	go func() {
		answering(ctx, l.HTTP, l.Services)
		l.Run(ctx)
	}()
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	return server.ListenAndServe()
}

// answering waits until each service answers anything: a new Service takes the nodes a moment to know.
func answering(ctx context.Context, client *http.Client, services []string) {
	for _, service := range services {
		for ctx.Err() == nil {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, service, nil)
			if err != nil {
				return
			}
			response, err := client.Do(request)
			if err == nil {
				_ = response.Body.Close()
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// trusted reads all CAs.
func trusted(pattern string) (*x509.CertPool, error) {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if !pool.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("%s holds no certificate", file)
		}
	}
	return pool, nil
}
