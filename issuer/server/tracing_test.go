package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func TestTracesJoinTheCallersAndHoldNoSecret(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.useKey("ES256", newKey(t))
	spans := tracetest.NewSpanRecorder()
	w.tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	w.start()
	const parent = "0af7651916cd43dd8448eb211c80319c"
	r := w.post(alice(), func(r *http.Request) { r.Header.Set("Traceparent", "00-"+parent+"-b7ad6b7169203331-01") })
	if r.status != http.StatusOK {
		t.Fatal(r.body)
	}
	w.post(form("grant_type", "client_credentials"), func(r *http.Request) {
		r.SetBasicAuth("batch", "canary-secret")
		r.URL.RawQuery = "client_secret=canary-query"
	})
	w.until("two spans", func() bool { return len(spans.Ended()) == 2 })
	first := spans.Ended()[0]
	if first.SpanContext().TraceID().String() != parent || first.Name() != "POST" {
		t.Errorf("%s %s", first.Name(), first.SpanContext().TraceID())
	}
	if !strings.Contains(w.audit.String(), `"trace":"`+parent+`"`) {
		t.Errorf("the audit log does not name the trace: %s", w.audit)
	}
	for _, span := range spans.Ended() {
		text := fmt.Sprint(span.Name(), span.Attributes(), span.Events(), span.Status())
		for _, secret := range []string{password, "canary", "access_token", "eyJ"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in %s", secret, text)
			}
		}
	}
}
