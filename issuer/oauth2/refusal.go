package oauth2

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Refusal is an error of the token endpoint (RFC 6749 section 5.2).
type Refusal struct {
	status int
	// Code is what the client gets as error.
	Code        string
	description string
	// reason is for the audit log, where the client must not learn it. Empty: the description.
	reason string
	// subject is that of the user who was not let in, for the audit log alone. Empty if there is none.
	subject string
	// retryAfter is in seconds, 0 for none.
	retryAfter int
}

func (r *Refusal) Error() string { return r.Code + ": " + r.description }

func (r *Refusal) why() string {
	if r.reason != "" {
		return r.reason
	}
	return r.description
}

func invalidRequest(description string) *Refusal {
	return &Refusal{status: http.StatusBadRequest, Code: "invalid_request", description: description}
}

func badRequest(code, description string) *Refusal {
	return &Refusal{status: http.StatusBadRequest, Code: code, description: description}
}

// invalidClient is the one answer to a client that is unknown, and to one that did not prove who it is.
func invalidClient(reason string) *Refusal {
	return &Refusal{status: http.StatusUnauthorized, Code: "invalid_client", description: "client authentication failed", reason: reason}
}

// wrongPassword is the one answer to everybody who is not let in. The subject is that of a user who exists, for the audit log.
func wrongPassword(reason, subject string) *Refusal {
	return &Refusal{
		status: http.StatusBadRequest, Code: "invalid_grant", description: "the user name or the password is wrong", reason: reason, subject: subject,
	}
}

// Unavailable says that the mistake is not the client's. RFC 6749 has no code for it in section 5.2; the one of section
// 4.1.2.1 says it.
func Unavailable(description string, retryAfter int) *Refusal {
	return &Refusal{
		status: http.StatusServiceUnavailable, Code: "temporarily_unavailable", description: description, retryAfter: retryAfter,
	}
}

// tooManyFailures slows down whoever fails too often (RFC 6585 section 4).
func tooManyFailures(wait time.Duration) *Refusal {
	return &Refusal{
		status: http.StatusTooManyRequests, Code: "temporarily_unavailable", description: "too many failed attempts",
		retryAfter: int((wait + time.Second - 1) / time.Second),
	}
}

// ServerError says that the mistake is ours (RFC 6749 section 4.1.2.1). reason is for the audit log alone.
func ServerError(description, reason string) *Refusal {
	return &Refusal{status: http.StatusInternalServerError, Code: "server_error", description: description, reason: reason}
}

// Write answers with the refusal, which no cache may keep.
func (r *Refusal) Write(w http.ResponseWriter) {
	h := w.Header()
	if r.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Basic realm="token", charset="UTF-8"`)
	}
	if r.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(r.retryAfter))
	}
	writeJSON(w, r.status, map[string]string{"error": r.Code, "error_description": r.description})
}

// writeJSON writes an answer that no cache may keep (RFC 6749 section 5.1).
func writeJSON(w http.ResponseWriter, status int, body any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that went away
}
