package interop

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/hack/interop/rotated"
	"github.com/keywright/keywright/verifier/verifiertest"
)

const goDriver = `package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
)

func main() {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		subject, err := verify(context.Background(), lines.Text())
		if err == nil {
			err = checkEnded(lines.Text())
		}
		if err != nil {
			fmt.Printf("no %q\n", err)
			continue
		}
		fmt.Println("ok", subject)
	}
}
`

const metricsDriver = `package main

import (
	"bufio"
	"context"
	"net/http/httptest"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/keywright/keywright/verifier"
	"github.com/keywright/keywright/verifier/verifiertest"
)

func main() {
	registry := prometheus.NewRegistry()
	v, err := verifier.New(verifier.Config{
		Issuers:  map[string]verifier.Source{verifiertest.IssuerName: verifier.File(os.Args[1])},
		Audience: verifiertest.Audience, Observer: newMetrics(registry),
	})
	if err != nil {
		panic(err)
	}
	defer v.Close()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		_, _ = v.Verify(context.Background(), lines.Text())
	}
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	_, _ = os.Stdout.Write(answer.Body.Bytes())
}
`

// build compiles files as a command of this module, which has what they import, without putting them into it.
func build(t *testing.T, files map[string]string) string {
	t.Helper()
	directory := write(t, files)
	program := filepath.Join(directory, "program")
	out, err := exec.Command("go", "build", "-overlay", overlay(t, directory, slices.Collect(maps.Keys(files))...), "-o", program, "./example").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// overlay describes files of a directory as those of a package of this module, for the go command.
func overlay(t *testing.T, directory string, files ...string) string {
	t.Helper()
	here, err := os.Getwd()
	check(t, err)
	replace := map[string]string{}
	for _, name := range files {
		replace[filepath.Join(here, "example", name)] = filepath.Join(directory, name)
	}
	description, err := json.Marshal(map[string]any{"Replace": replace})
	check(t, err)
	path := filepath.Join(directory, "overlay.json")
	check(t, os.WriteFile(path, description, 0o600))
	return path
}

func TestGo(t *testing.T) {
	for _, name := range []string{"go-golang-jwt", "go-jwx", "go-oidc"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := rotated.New(t, "ES256")
			program := build(t, map[string]string{
				"example.go": example(t, name, mounted, w.Volume.File()), "main.go": goDriver, "ended.go": ended(t, w, "go-ended"),
			})
			w.Tell(t, start(t, filepath.Dir(program), program), rotated.Promises{ChecksType: true, KeepsTheLastSet: true, EndsEarly: true, Reload: time.Second})
		})
	}
}

// The service of the Go page whose tokens may be bound, whole.
func TestGoBoundTokens(t *testing.T) {
	t.Parallel()
	issuer, client, thief := verifiertest.NewIssuer(t), verifiertest.NewClient(t), verifiertest.NewClient(t)
	file, port := filepath.Join(t.TempDir(), "main.json"), freePort(t)
	issuer.WriteKeySet(file)
	program := build(t, map[string]string{"main.go": example(t, "go-bound", mounted, file, ":8080", "127.0.0.1:"+port)})
	url := "http://127.0.0.1:" + port
	serve(t, url+"/orders", filepath.Clean(program))
	token := func(options ...verifiertest.Option) string {
		return issuer.Token("alice", append(options, verifiertest.Claim("iss", "https://issuer.example.com"),
			verifiertest.ForAudience("https://orders.example.com"), verifiertest.Scope("orders:read"))...)
	}
	plain, bound := token(), token(verifiertest.BoundTo(client))
	const seen = "https://orders.example.com/orders"
	for name, c := range map[string]struct {
		path, authorization, proof string
		status                     int
		answer                     string
	}{
		"a bearer token":        {"/orders", "Bearer " + plain, "", 200, "the orders of alice, bound: false\n"},
		"a bound token":         {"/orders?page=2", "DPoP " + bound, client.Proof("GET", seen, bound), 200, "the orders of alice, bound: true\n"},
		"a stolen one":          {"/orders", "DPoP " + bound, thief.Proof("GET", seen, bound), 401, ""},
		"a stolen one, alone":   {"/orders", "Bearer " + bound, "", 401, ""},
		"a proof of another":    {"/orders", "DPoP " + bound, client.Proof("GET", url+"/orders", bound), 401, ""},
		"the metadata":          {"/.well-known/oauth-protected-resource", "", "", 200, ""},
		"no token and no proof": {"/orders", "", "", 401, ""},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+c.path, nil)
		check(t, err)
		request.Header.Set("Authorization", c.authorization)
		if c.proof != "" {
			request.Header.Set("DPoP", c.proof)
		}
		response, err := http.DefaultClient.Do(request)
		check(t, err)
		body, err := io.ReadAll(response.Body)
		check(t, errors.Join(err, response.Body.Close()))
		if response.StatusCode != c.status || (c.answer != "" && string(body) != c.answer) {
			t.Errorf("%s: %d %s", name, response.StatusCode, body)
		}
	}
}

// The metrics of the Go page, with the names that the alerts read.
func TestGoMetrics(t *testing.T) {
	t.Parallel()
	issuer, another := verifiertest.NewIssuer(t), verifiertest.NewIssuer(t)
	directory := t.TempDir()
	file := filepath.Join(directory, "main.json")
	issuer.WriteKeySet(file)
	program := build(t, map[string]string{"metrics.go": example(t, "go-metrics"), "main.go": metricsDriver})
	cmd := exec.Command(program, file)
	cmd.Stdin = strings.NewReader(strings.Join([]string{issuer.Token("alice"), issuer.Token("alice"), another.Token("alice"), "x"}, "\n"))
	out, err := cmd.CombinedOutput()
	check(t, err)
	set, err := os.ReadFile(file)
	check(t, err)
	digest := sha256.Sum256(set)
	for _, want := range []string{
		`keywright_verifier_tokens_total{result="ok"} 2`, `keywright_verifier_tokens_total{result="unknown_key"} 1`,
		`keywright_verifier_tokens_total{result="malformed"} 1`, `keywright_verifier_keyset_failing{issuer="` + verifiertest.IssuerName + `"} 0`,
		`keywright_verifier_keyset_info{digest="` + hex.EncodeToString(digest[:8]) + `",issuer="` + verifiertest.IssuerName + `"} 1`,
	} {
		if !strings.Contains(string(out), "\n"+want+"\n") {
			t.Errorf("there is no %s in\n%s", want, out)
		}
	}
	rules, err := os.ReadFile("../../config/monitoring/rules.yaml")
	check(t, err)
	if !strings.Contains(string(rules), `keywright_verifier_tokens_total{result="unknown_key"}`) {
		t.Error("no alert reads the metric")
	}
}

// The tests of the Go page pass, for a service that answers.
func TestGoTesting(t *testing.T) {
	t.Parallel()
	directory := write(t, map[string]string{"main_test.go": example(t, "go-testing"), "main.go": `package main

import "net/http"

func orders(http.ResponseWriter, *http.Request) {} // 200

func main() {}
`})
	program := filepath.Join(directory, "program")
	out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", overlay(t, directory, "main.go", "main_test.go"),
		"-o", program, "./example").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err = exec.CommandContext(t.Context(), program, "-test.v").CombinedOutput()
	if err != nil || strings.Count(string(out), "--- PASS: TestOrders") != 2 {
		t.Errorf("%v\n%s", err, out)
	}
}
