package oauth2

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Error is an error response of the token endpoint (RFC 6749 section 5.2).
type Error struct {
	status int
	// Code is the member error of the response.
	Code        string
	description string
	// reason is for the audit log, if it differs from the description.
	reason string
	// subject is that of the user whose login failed, for the audit log only, or "".
	subject string
	// retryAfter is in seconds, 0 for none.
	retryAfter int
}

func (r *Error) Error() string { return r.Code + ": " + r.description }

func (r *Error) auditReason() string {
	if r.reason != "" {
		return r.reason
	}
	return r.description
}

func invalidRequest(description string) *Error {
	return &Error{status: http.StatusBadRequest, Code: "invalid_request", description: description}
}

func badRequest(code, description string) *Error {
	return &Error{status: http.StatusBadRequest, Code: code, description: description}
}

// invalidClient returns the same error for an unknown client and for failed authentication.
func invalidClient(reason string) *Error {
	return &Error{status: http.StatusUnauthorized, Code: "invalid_client", description: "client authentication failed", reason: reason}
}

// wrongPassword returns the same error for all failed logins. The subject of an existing user is for the audit log.
func wrongPassword(reason, subject string) *Error {
	return &Error{
		status: http.StatusBadRequest, Code: "invalid_grant", description: "the user name or the password is wrong", reason: reason, subject: subject,
	}
}

// Unavailable returns an error that the client did not cause, with the code of RFC 6749 section 4.1.2.1, because
// section 5.2 has none.
func Unavailable(description string, retryAfter int) *Error {
	return &Error{
		status: http.StatusServiceUnavailable, Code: "temporarily_unavailable", description: description, retryAfter: retryAfter,
	}
}

// tooManyFailures returns an error for too many failed attempts (RFC 6585 section 4).
func tooManyFailures(wait time.Duration) *Error {
	return &Error{
		status: http.StatusTooManyRequests, Code: "temporarily_unavailable", description: "too many failed attempts",
		retryAfter: int((wait + time.Second - 1) / time.Second),
	}
}

// ServerError returns an internal error (RFC 6749 section 4.1.2.1). reason is for the audit log only.
func ServerError(description, reason string) *Error {
	return &Error{status: http.StatusInternalServerError, Code: "server_error", description: description, reason: reason}
}

// Write writes the error response, which must not be cached.
func (r *Error) Write(w http.ResponseWriter) {
	h := w.Header()
	if r.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Basic realm="token", charset="UTF-8"`)
	}
	if r.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(r.retryAfter))
	}
	writeJSON(w, r.status, map[string]string{"error": r.Code, "error_description": r.description})
}

// writeJSON writes a response that must not be cached (RFC 6749 section 5.1).
func writeJSON(w http.ResponseWriter, status int, body any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client has disconnected
}
