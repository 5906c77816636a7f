package server

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// event is what the audit log says of one request: nothing that a person may have typed by mistake. Its first members are
// those of log/slog's JSON, which takes four times as long for it.
type event struct {
	Time    time.Time  `json:"time"`
	Level   string     `json:"level"`
	Message string     `json:"msg"`
	Grant   string     `json:"grant"`
	Client  string     `json:"client"`
	Result  string     `json:"result"`
	Remote  netip.Addr `json:"remote"`
	Reason  string     `json:"reason,omitempty"`
	Subject string     `json:"subject,omitempty"`
	ID      string     `json:"jti,omitempty"`
	KeyID   string     `json:"kid,omitempty"`
	Trace   string     `json:"trace,omitempty"`
}

// audit is the audit log: each event is one line, written at once.
type audit struct {
	mu  sync.Mutex
	out io.Writer
	log *slog.Logger
}

func (a *audit) write(ctx context.Context, e *event) {
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		e.Trace = span.TraceID().String()
	}
	line, err := json.Marshal(e)
	if err == nil {
		a.mu.Lock()
		_, err = a.out.Write(append(line, '\n'))
		a.mu.Unlock()
	}
	if err != nil {
		a.log.Error("The audit log cannot be written", "error", err.Error())
	}
}
