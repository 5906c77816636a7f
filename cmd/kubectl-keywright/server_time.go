package main

import (
	"net/http"
	"time"
)

// notesTime notes the time that the API server puts into its answers (the header Date, RFC 9110 section 6.6.1).
type notesTime struct {
	http.RoundTripper
	note func(time.Time)
}

// RoundTrip passes a request on.
func (n *notesTime) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := n.RoundTripper.RoundTrip(request)
	if err == nil {
		if at, err := http.ParseTime(response.Header.Get("Date")); err == nil {
			n.note(at)
		}
	}
	return response, err
}
