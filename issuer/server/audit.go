package server

import (
	"context"
	"log/slog"
	"net/netip"

	"go.opentelemetry.io/otel/trace"
)

// event is what the audit log says of one request: nothing that a person may have typed by mistake.
type event struct {
	grant, client, result, reason string
	remote                        netip.Addr
	subject, id, kid              string
}

func (e *event) log(ctx context.Context, log *slog.Logger) {
	attributes := [9]slog.Attr{
		slog.String("grant", e.grant), slog.String("client", e.client), slog.String("result", e.result), slog.String("remote", e.remote.String()),
	}
	n := 4
	for _, more := range [...]slog.Attr{
		slog.String("reason", e.reason), slog.String("subject", e.subject), slog.String("jti", e.id), slog.String("kid", e.kid),
	} {
		if more.Value.String() != "" {
			attributes[n] = more
			n++
		}
	}
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		attributes[n] = slog.String("trace", span.TraceID().String())
		n++
	}
	log.LogAttrs(ctx, slog.LevelInfo, "Token request", attributes[:n]...)
}
