package oauth2

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/keywright/keywright/issuer/token"
)

// record is what the audit log says of one call: nothing that a person may have typed by mistake. Its first members are
// those of log/slog's JSON.
type record struct {
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
	// Session is the sid, by which a Revocation ends it.
	Session string `json:"sid,omitempty"`
	Trace   string `json:"trace,omitempty"`
}

// IssuedResult is the result of a call that got a token.
const IssuedResult = "issued"

// record returns what the audit log says of a call that ended with a token or with a refusal. It names a client also when it is not the
// one it says, and a user also when the token is refused after the login.
func (c *call) record(began time.Time, got *issued, refused *Refusal) *record {
	r := &record{Time: began, Level: "INFO", Message: "Token request", Grant: c.grantType, Remote: c.remote}
	if c.named != nil {
		r.Client = c.named.ID
	}
	if c.session != nil {
		r.Session = c.session.ID
	}
	switch {
	case refused == nil:
		r.Result, r.Subject, r.ID, r.KeyID = IssuedResult, got.claims.Subject, got.claims.ID, c.key.KeyID
		return r
	case refused.subject != "":
		r.Subject = refused.subject
	case !strings.HasPrefix(c.identity.subject, token.ClientPrefix): // which is named already
		r.Subject = c.identity.subject
	}
	r.Result, r.Reason = refused.Code, refused.why()
	return r
}

// audit is the audit log: each record is one line, written at once.
type audit struct {
	out io.Writer
	log *slog.Logger

	mu   sync.Mutex
	line bytes.Buffer
}

func (a *audit) write(ctx context.Context, r *record) {
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		r.Trace = span.TraceID().String()
	}
	a.mu.Lock()
	a.line.Reset()
	err := json.NewEncoder(&a.line).Encode(r)
	if err == nil {
		_, err = a.out.Write(a.line.Bytes())
	}
	a.mu.Unlock()
	if err != nil {
		a.log.Error("An audit line cannot be written: its token request is answered all the same", "error", err.Error())
	}
}
