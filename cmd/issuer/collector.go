package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/keywright/keywright/issuer/reload"
)

// maxCertificates limits the file with the CA certificates for the collector, in bytes.
const maxCertificates = 1 << 20

// collector sends spans with OTLP over HTTP, in protobuf. It replaces otlptracehttp, which links gRPC and so costs every issuer 4 MB of
// memory, even without tracing.
type collector struct {
	url     string
	headers http.Header
	client  *http.Client
}

var _ otlptrace.Client = (*collector)(nil)

// setting returns an environment variable of the OpenTelemetry specification: that for traces, otherwise that for all signals.
func setting(name string) string {
	if value := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_" + name); value != "" {
		return value
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_" + name)
}

// newCollector returns the collector that the environment names, nil if it names none. Errors contain the name of the variable.
func newCollector() (*collector, error) {
	variable := "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	c := &collector{url: os.Getenv(variable), headers: http.Header{}}
	if base := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"); c.url == "" && base != "" {
		variable = "OTEL_EXPORTER_OTLP_ENDPOINT"
		c.url = strings.TrimSuffix(base, "/") + "/v1/traces"
	}
	if c.url == "" {
		return nil, nil
	}
	if u, err := url.Parse(c.url); err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return nil, fmt.Errorf("%s must be an http or https URL", variable)
	}
	if protocol := setting("PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf, not %q", protocol)
	}
	if err := c.readHeaders(setting("HEADERS")); err != nil {
		return nil, err
	}
	clientTLS, err := tlsConfig()
	if err != nil {
		return nil, err
	}
	timeout := 10_000
	if text := setting("TIMEOUT"); text != "" {
		if timeout, err = strconv.Atoi(text); err != nil || timeout < 1 {
			return nil, errors.New("OTEL_EXPORTER_OTLP_TIMEOUT must be a number of milliseconds, like 10000")
		}
	}
	c.client = &http.Client{
		Timeout:       time.Duration(timeout) * time.Millisecond,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: clientTLS, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a redirect would receive the headers
	}
	return c, nil
}

// readHeaders parses a list like name=value,name=value, percent-encoded. Errors contain no part of it, because values are secret.
func (c *collector) readHeaders(list string) error {
	for pair := range strings.SplitSeq(list, ",") {
		name, value, _ := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); err != nil || (name == "") != (pair == "") {
			return errors.New("OTEL_EXPORTER_OTLP_HEADERS must be a list like name=value,name=value")
		}
		if name != "" {
			c.headers.Set(name, value)
		}
	}
	c.headers.Set("Content-Type", "application/x-protobuf")
	return nil
}

// tlsConfig returns the CA certificates for the collector, and the client certificate of the issuer.
func tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if file := setting("CERTIFICATE"); file != "" {
		b, err := reload.Read(file, maxCertificates)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("%s has no PEM certificate", file)
		}
	}
	if file := setting("CLIENT_CERTIFICATE"); file != "" {
		certificate, err := tls.LoadX509KeyPair(file, setting("CLIENT_KEY"))
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return config, nil
}

// Start does nothing: connections are opened on demand.
func (c *collector) Start(context.Context) error { return nil }

// Stop closes idle connections.
func (c *collector) Stop(context.Context) error {
	c.client.CloseIdleConnections()
	return nil
}

// UploadTraces sends spans once. TracesData has the same encoding as the request message of the service, whose package needs gRPC.
func (c *collector) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header = c.headers.Clone()
	response, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection is reused
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("the collector returned the status %s", response.Status)
	}
	return nil
}
