package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// profile writes a CPU profile of the issuer under a mixed load, for profile-guided optimization (go.dev/doc/pgo).
func (b *bench) profile(ctx context.Context, file string) error {
	p, err := b.start(ctx, "issuer")
	if err != nil {
		return err
	}
	defer p.stop()
	profiled := make(chan error, 1)
	go func() { profiled <- p.save(ctx, "/debug/pprof/profile?seconds=30", file) }()
	for began := time.Now(); time.Since(began) < 33*time.Second; {
		_, err1 := closed(p.address, always(clientCredentials()), connections, time.Second, false)
		_, err2 := closed(p.address, always(b.subject.exchange()), connections, time.Second, false)
		_, err3 := closed(p.address, always(clientCredentials()), connections, time.Second, true)
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
	}
	return <-profiled
}

// save writes what a path of the metrics address answers into a file.
func (p *process) save(ctx context.Context, path, file string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.metrics+path, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, response.Status)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o600)
}
