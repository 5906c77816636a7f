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

// record is the audit record of a request. It has nothing that a user may have typed by mistake. Its first members
// are those of log/slog's JSON.
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
	// Session is the sid, for a Revocation of the session.
	Session string `json:"sid,omitempty"`
	Trace   string `json:"trace,omitempty"`
}

// IssuedResult is the result of a request that got a token.
const IssuedResult = "issued"

// record returns the audit record of a request. It contains the claimed client even if authentication fails, and the
// user even if the token is refused after the login.
func (c *call) record(began time.Time, got *issued, refused *Error) *record {
	r := &record{Time: began, Level: "INFO", Message: "Token request", Grant: c.grantType, Remote: c.remote}
	if c.claimedClient != nil {
		r.Client = c.claimedClient.ID
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
	case !strings.HasPrefix(c.identity.subject, token.ClientPrefix): // otherwise it is the client
		r.Subject = c.identity.subject
	}
	r.Result, r.Reason = refused.Code, refused.auditReason()
	return r
}

// audit is the audit log, with one line per record, which is written immediately.
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
		a.log.Error("Failed to write an audit record: the audit log lacks it, but the response to the token request is sent", "error", err.Error())
	}
}
