package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestTracesGoToTheCollectorThatTheEnvironmentNames(t *testing.T) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		t.Setenv(name, "")
	}
	if provider, flush, err := tracing(t.Context()); provider != nil || err != nil || flush(t.Context()) != nil {
		t.Errorf("without a collector: %v %v", provider, err)
	}
	paths := make(chan string, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { paths <- r.URL.Path }))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	provider, flush, err := tracing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, span := provider.Tracer("test").Start(t.Context(), "one")
	span.End()
	if err := flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if path := <-paths; path != "/v1/traces" {
		t.Errorf("it was sent to %s", path)
	}
}
