package main

import (
	"bufio"
	"crypto/tls"
	"time"
)

// paced sends a request each interval, whatever became of those before, on connections that were made before. Latencies are
// from the intended start.
func paced(address string, next func() []byte, every, lasts time.Duration) (*result, error) {
	r := &result{}
	var open [connections]*tls.Conn
	for i := range open {
		c, err := dial(address)
		if err != nil {
			return nil, err
		}
		defer func() { _ = c.Close() }()
		open[i] = c
	}
	starts := make(chan time.Time, int(lasts/every)+1)
	errs := make(chan error, len(open))
	for _, c := range open {
		go func() { errs <- r.follow(c, next, starts) }()
	}
	began := time.Now()
	ticker := time.NewTicker(every)
	for at := range ticker.C {
		if at.Sub(began) > lasts {
			break
		}
		starts <- at
	}
	ticker.Stop()
	close(starts)
	var failed error
	for range open {
		if err := <-errs; err != nil {
			failed = err
		}
	}
	r.took = time.Since(began)
	return r, failed
}

// follow sends a request at each of some times, or as soon as the one before was answered.
func (r *result) follow(c *tls.Conn, next func() []byte, starts <-chan time.Time) error {
	reader := bufio.NewReader(c)
	for at := range starts {
		status, err := exchange(c, reader, next())
		if err != nil {
			return err
		}
		r.add(status, time.Since(at))
	}
	return nil
}
