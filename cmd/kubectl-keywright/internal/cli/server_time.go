package cli

import (
	"net/http"
	"time"
)

// ServerNow returns the time in the last response of the API server, or the time of this machine before the first one. The clock of
// a workstation may be wrong by more than a Lease lasts.
func (e *Env) ServerNow() time.Time {
	if at := e.serverTime.Load(); at != nil {
		return *at
	}
	return e.Now()
}

// dateRecorder records the time in each response (header Date, RFC 9110 section 6.6.1).
type dateRecorder struct {
	http.RoundTripper
	record func(time.Time)
}

// RoundTrip forwards a request.
func (r *dateRecorder) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.RoundTripper.RoundTrip(request)
	if err == nil {
		if at, err := http.ParseTime(response.Header.Get("Date")); err == nil {
			r.record(at)
		}
	}
	return response, err
}
