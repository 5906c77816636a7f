package server

import (
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
)

// withTracing creates a span per request, which belongs to the trace of the caller if there is one (W3C Trace
// Context).
func (s *Server) withTracing(next http.Handler) http.Handler {
	if s.tracer == nil {
		return next
	}
	return otelhttp.NewHandler(next, "issuer", otelhttp.WithTracerProvider(s.tracer), otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method }))
}
