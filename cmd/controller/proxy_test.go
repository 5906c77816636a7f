package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// proxy is between a controller and the API server, with the controller's permissions, and injects faults for a test.
type proxy struct {
	kubeconfig string

	mu sync.Mutex
	// onWrite, if set, is called for each write, and returns the fault for it.
	onWrite func(method, path string) fault
	// broken is called for the fault fatal.
	broken func()
	// watchLag is the delay of watch events.
	watchLag time.Duration
	server   *httptest.Server
}

// fault is the fault that is injected into a request.
type fault int

const (
	// passes forwards the request.
	passes fault = iota
	// refused responds with 503 without forwarding it.
	refused
	// conflict responds with a conflict without forwarding it.
	conflict
	// lost forwards it and drops the response.
	lost
	// fatal forwards it, then kills the controller before it can read the response.
	fatal
	// slow forwards it after a second.
	slow
)

// newProxy starts a proxy, and writes a kubeconfig for it.
func newProxy(t *testing.T, c *cluster) *proxy {
	t.Helper()
	p := &proxy{kubeconfig: t.TempDir() + "/kubeconfig"}
	config := c.asController.Config()
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, forward) }))
	p.server = server
	t.Cleanup(server.CloseClientConnections)
	t.Cleanup(func() { go server.Close() }) // it waits for watches, which end with the controller
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters["proxy"] = &clientcmdapi.Cluster{Server: server.URL}
	kubeconfig.Contexts["proxy"] = &clientcmdapi.Context{Cluster: "proxy"}
	kubeconfig.CurrentContext = "proxy"
	if err := clientcmd.WriteToFile(*kubeconfig, p.kubeconfig); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *proxy) serve(w http.ResponseWriter, r *http.Request, forward http.Handler) {
	switch p.faultOf(r) {
	case refused:
		http.Error(w, "the API server is down", http.StatusServiceUnavailable)
		return
	case conflict:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(apierrors.NewConflict(schema.GroupResource{Resource: "any"}, "any", http.ErrAbortHandler).Status())
		return
	case slow:
		letPass(r.Context(), time.Second)
	case lost:
		forward.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler) // closes the connection
	case fatal:
		forward.ServeHTTP(httptest.NewRecorder(), r)
		p.broken()
		panic(http.ErrAbortHandler)
	case passes:
	}
	if lag := p.lagOf(r); lag > 0 {
		late := newLate(w, lag)
		defer late.finish()
		w = late
	}
	forward.ServeHTTP(w, r)
}

// outage refuses connections for a while, and closes existing ones.
func (p *proxy) outage(t *testing.T, lasts time.Duration) {
	t.Helper()
	address := p.server.Listener.Addr().String()
	_ = p.server.Listener.Close()
	p.server.CloseClientConnections()
	letPass(t.Context(), lasts)
	again, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	p.server.Listener = again
	go func() { _ = p.server.Config.Serve(again) }()
}

// lagOf returns the delay of the response, if the request is a watch.
func (p *proxy) lagOf(r *http.Request) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.URL.Query().Get("watch") == "" {
		return 0
	}
	return p.watchLag
}

// late delays what is written to it.
type late struct {
	http.ResponseWriter
	lag   time.Duration
	parts chan part
	done  sync.WaitGroup
}

type part struct {
	due   time.Time
	bytes []byte
}

func newLate(w http.ResponseWriter, lag time.Duration) *late {
	l := &late{ResponseWriter: w, lag: lag, parts: make(chan part, 10_000)}
	l.done.Go(func() {
		for p := range l.parts {
			letPass(context.Background(), time.Until(p.due))
			_, _ = l.ResponseWriter.Write(p.bytes)
			_ = http.NewResponseController(l.ResponseWriter).Flush()
		}
	})
	return l
}

func (l *late) Write(b []byte) (int, error) {
	l.parts <- part{due: time.Now().Add(l.lag), bytes: bytes.Clone(b)}
	return len(b), nil
}

func (l *late) Flush() {}

func (l *late) finish() {
	close(l.parts)
	l.done.Wait()
}

// letPass waits for a while.
func letPass(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func (p *proxy) faultOf(r *http.Request) fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.onWrite == nil || r.Method == http.MethodGet || strings.Contains(r.URL.Path, "/events") || strings.Contains(r.URL.Path, "/leases") {
		return passes
	}
	return p.onWrite(r.Method, r.URL.Path)
}

// interfere sets the faults of later writes, nil for none.
func (p *proxy) interfere(onWrite func(method, path string) fault, broken func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onWrite, p.broken = onWrite, broken
}
