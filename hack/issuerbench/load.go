package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// clientCredentials is a whole request of the client batch.
func clientCredentials() []byte {
	return request(url.Values{"grant_type": {"client_credentials"}, "client_id": {"batch"}, "client_secret": {clientSecret}})
}

// logIn is a whole request of the user alice.
func logIn(password string) []byte { return logInAs("alice", password) }

func logInAs(name, password string) []byte {
	return request(url.Values{"grant_type": {"password"}, "client_id": {"web"}, "username": {name}, "password": {password}})
}

func request(form url.Values) []byte {
	body := form.Encode()
	return fmt.Appendf(nil, "POST /token HTTP/1.1\r\nHost: issuer.example.com\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// result is what a load saw.
type result struct {
	mu        sync.Mutex
	latencies []time.Duration
	statuses  map[int]int
	took      time.Duration
}

func (r *result) add(status int, latency time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.statuses == nil {
		r.statuses = map[int]int{}
	}
	r.statuses[status]++
	r.latencies = append(r.latencies, latency)
}

// quantile is 0.99 for the p99.
func (r *result) quantile(q float64) time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}
	slices.Sort(r.latencies)
	return r.latencies[min(int(q*float64(len(r.latencies))), len(r.latencies)-1)]
}

func (r *result) rate(status int) float64 { return float64(r.statuses[status]) / r.took.Seconds() }

// always is a source of requests that are the same.
func always(body []byte) func() []byte { return func() []byte { return body } }

// closed sends request after request on each of some connections, as soon as the last was answered. fresh connects for
// each.
func closed(address string, next func() []byte, connections int, lasts time.Duration, fresh bool) (*result, error) {
	r := &result{}
	until := time.Now().Add(lasts)
	errs := make(chan error, connections)
	began := time.Now()
	for range connections {
		go func() { errs <- r.loop(address, next, until, fresh) }()
	}
	var failed error
	for range connections {
		if err := <-errs; err != nil {
			failed = err
		}
	}
	r.took = time.Since(began)
	return r, failed
}

func (r *result) loop(address string, next func() []byte, until time.Time, fresh bool) error {
	for time.Now().Before(until) {
		c, err := dial(address)
		if err != nil {
			return err
		}
		reader := bufio.NewReader(c)
		for time.Now().Before(until) {
			began := time.Now()
			status, err := exchange(c, reader, next())
			if err != nil {
				_ = c.Close()
				return err
			}
			r.add(status, time.Since(began))
			if fresh {
				break
			}
		}
		_ = c.Close()
	}
	return nil
}

func exchange(w io.Writer, reader *bufio.Reader, body []byte) (int, error) {
	if _, err := w.Write(body); err != nil {
		return 0, err
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}
