package main

import (
	"context"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// clearEnvironment clears the variables that a machine may have set.
func clearEnvironment(t *testing.T) {
	t.Helper()
	for _, signal := range []string{"", "TRACES_"} {
		for _, name := range []string{"ENDPOINT", "HEADERS", "TIMEOUT", "PROTOCOL", "CERTIFICATE", "CLIENT_CERTIFICATE"} {
			t.Setenv("OTEL_EXPORTER_OTLP_"+signal+name, "")
		}
	}
}

// received is a request to a collector.
type received struct {
	path, key string
	traces    tracepb.TracesData
}

// newTestCollector returns a collector over TLS, which responds with 503 without the right header.
func newTestCollector(t *testing.T) (server *httptest.Server, ca string, got chan *received) {
	t.Helper()
	got = make(chan *received, 10)
	server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one := &received{path: r.URL.Path, key: r.Header.Get("X-Key")}
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/slow/v1/traces" {
			<-r.Context().Done()
			return
		}
		if r.URL.Path == "/moved/v1/traces" {
			http.Redirect(w, r, "/v1/traces", http.StatusTemporaryRedirect)
			return
		}
		if proto.Unmarshal(body, &one.traces) != nil || one.key != "a b" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		got <- one
	}))
	t.Cleanup(server.Close)
	ca = filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return server, ca, got
}

func makeSpan(t *testing.T, provider trace.TracerProvider, flush func(context.Context) error) error {
	t.Helper()
	_, span := provider.Tracer("test").Start(t.Context(), "one")
	span.End()
	return flush(t.Context())
}

func TestTracesGoToTheCollectorThatTheEnvironmentNames(t *testing.T) {
	server, ca, got := newTestCollector(t)
	for endpoint, path := range map[string]string{"ENDPOINT": "/v1/traces", "TRACES_ENDPOINT": "/"} {
		t.Run(endpoint, func(t *testing.T) {
			clearEnvironment(t)
			if provider, flush, err := tracing(t.Context()); provider != nil || err != nil || flush(t.Context()) != nil {
				t.Errorf("without a collector: %v %v", provider, err)
			}
			t.Setenv("OTEL_EXPORTER_OTLP_"+endpoint, server.URL+"/")
			t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", ca)
			t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-other=1, x-key=a%20b")
			t.Setenv("OTEL_SERVICE_NAME", "the-issuer")
			provider, flush, err := tracing(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := makeSpan(t, provider, flush); err != nil {
				t.Fatal(err)
			}
			one := <-got
			if one.path != path || len(one.traces.ResourceSpans) != 1 {
				t.Fatalf("it was sent to %s: %v", one.path, &one.traces)
			}
			spans := one.traces.ResourceSpans[0]
			named := false
			for _, attribute := range spans.Resource.Attributes {
				named = named || (attribute.Key == "service.name" && attribute.Value.GetStringValue() == "the-issuer")
			}
			if !named || spans.ScopeSpans[0].Spans[0].Name != "one" {
				t.Errorf("got %v", spans)
			}
		})
	}
}

func TestACollectorThatDoesNotTakeSpansIsAnError(t *testing.T) {
	server, ca, _ := newTestCollector(t)
	for what, variables := range map[string]map[string]string{
		"no certificate is trusted": {"HEADERS": "x-key=a%20b"},
		"the collector answers 503": {"CERTIFICATE": ca},
		"it redirects":              {"CERTIFICATE": ca, "HEADERS": "x-key=a%20b", "ENDPOINT": server.URL + "/moved"},
		"it does not answer":        {"CERTIFICATE": ca, "TIMEOUT": "50", "ENDPOINT": server.URL + "/slow"},
	} {
		clearEnvironment(t)
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
		for name, value := range variables {
			t.Setenv("OTEL_EXPORTER_OTLP_"+name, value)
		}
		c, err := newCollector()
		if err != nil {
			t.Fatal(err)
		}
		if c.UploadTraces(t.Context(), nil) == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func TestSettingsOfACollectorThatCannotWork(t *testing.T) {
	for name, value := range map[string]string{
		"ENDPOINT": "collector:4318", "PROTOCOL": "grpc", "HEADERS": "=secret", "TIMEOUT": "0", "CERTIFICATE": "/nowhere",
		"CLIENT_CERTIFICATE": "/nowhere",
	} {
		clearEnvironment(t)
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example.com")
		t.Setenv("OTEL_EXPORTER_OTLP_"+name, value)
		if _, _, err := tracing(t.Context()); err == nil {
			t.Errorf("%s=%s: no error", name, value)
		}
	}
}
