package oauth2

import (
	"bytes"
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
// those of log/slog's JSON.
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
	out io.Writer
	log *slog.Logger

	mu   sync.Mutex
	line bytes.Buffer
}

func (a *audit) write(ctx context.Context, e *event) {
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		e.Trace = span.TraceID().String()
	}
	a.mu.Lock()
	a.line.Reset()
	err := json.NewEncoder(&a.line).Encode(e)
	if err == nil {
		_, err = a.out.Write(a.line.Bytes())
	}
	a.mu.Unlock()
	if err != nil {
		a.log.Error("The audit log cannot be written", "error", err.Error())
	}
}
