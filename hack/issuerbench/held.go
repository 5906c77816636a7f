package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// held measures what memory each of many connections takes that do nothing, and each of many requests that do not end.
func (b *bench) held(ctx context.Context) error {
	p, err := b.start(ctx, "issuer")
	if err != nil {
		return err
	}
	defer p.stop()
	const many = 1000
	before := p.rss()
	for range many {
		c, err := dial(p.address)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
	}
	idle := p.rss()
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	statuses := make(chan int, many)
	for range many {
		go func() { statuses <- unfinished(ctx, transport, "https://"+p.address+"/token") }()
	}
	<-time.After(5 * time.Second) // the issuer cuts them off after 10
	held := p.rss()
	count := map[int]int{}
	for range many {
		count[<-statuses]++
	}
	fmt.Printf("\n%d connections that do nothing: %.0f KB each; as many HTTP/2 requests that do not end, with headers and bodies of 15 KiB: %.0f KB each; answers %v\n",
		many, (idle-before)*1e3/many, (held-idle)*1e3/many, count)
	return nil
}

// unfinished sends nearly all of a request, and returns the status of the answer.
func unfinished(ctx context.Context, transport *http.Transport, url string) int {
	body, more := io.Pipe()
	defer func() { _ = more.Close() }()
	go func() { _, _ = io.WriteString(more, strings.Repeat("a", 15<<10)) }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		return 0
	}
	req.ContentLength = 16 << 10
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("X", strings.Repeat("a", 15<<10))
	response, err := transport.RoundTrip(req)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}
