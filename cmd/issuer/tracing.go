package main

import (
	"context"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// tracing returns a provider of tracers, and a function that sends the last spans. The provider is nil if the environment names no
// collector. The environment variables are those of the OpenTelemetry specification.
func tracing(ctx context.Context) (provider trace.TracerProvider, flush func(context.Context) error, err error) {
	collector, err := newCollector()
	if collector == nil || err != nil {
		return nil, func(context.Context) error { return nil }, err
	}
	exporter, err := otlptrace.New(ctx, collector)
	if err != nil {
		return nil, nil, err
	}
	about, err := resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK())
	if err != nil {
		return nil, nil, err
	}
	sdk := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return sdk, sdk.Shutdown, nil
}
