package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// requests measures the CPU time of a client credentials request, of one on a connection of its own, and of a token exchange.
// The servers take turns, a third of a second each, so that whatever else the machine does meets all of them.
func (b *bench) requests(ctx context.Context, rounds int) error {
	servers := map[string]*process{}
	for _, kind := range []string{"static", "raw", "exchange", "issuer"} {
		p, err := b.start(ctx, kind)
		if err != nil {
			return err
		}
		defer p.stop()
		servers[kind] = p
	}
	kept, fresh, exchanges := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}
	measure := func(into map[string][]float64, kind string, body []byte, newConnection bool) error {
		cost, err := servers[kind].cost(body, newConnection)
		into[kind] = append(into[kind], cost)
		return err
	}
	for range 5 * rounds {
		for _, kind := range []string{"static", "raw", "issuer"} {
			if err := errors.Join(measure(kept, kind, clientCredentials(), false), measure(fresh, kind, clientCredentials(), true)); err != nil {
				return err
			}
		}
		for _, kind := range []string{"exchange", "issuer"} {
			if err := measure(exchanges, kind, b.subject.exchange(), false); err != nil {
				return err
			}
		}
	}
	fmt.Println("| client credentials, ES256 | CPU µs per request | x A | x B | CPU µs with a new TLS connection | x A | x B |")
	fmt.Println("|---|---|---|---|---|---|---|")
	for _, row := range []struct{ kind, name string }{{"static", "A: constant answer"}, {"raw", "B: raw signature"}, {"issuer", "issuer, with audit log and metrics"}} {
		k, f := kept[row.kind], fresh[row.kind]
		fmt.Printf("| %s | %.1f | %.2f | %.2f | %.0f | %.2f | %.2f |\n", row.name, median(k), ratio(k, kept["static"]), ratio(k, kept["raw"]),
			median(f), ratio(f, fresh["static"]), ratio(f, fresh["raw"]))
	}
	fmt.Printf("\ntoken exchange, RS256 verified and ES256 signed: %.1f µs, C %.1f µs, %.2f x C\n",
		median(exchanges["issuer"]), median(exchanges["exchange"]), ratio(exchanges["issuer"], exchanges["exchange"]))
	b.atMost("client credentials, x B", ratio(kept["issuer"], kept["raw"]), 1.25)
	b.atMost("client credentials with a new TLS connection, x B", ratio(fresh["issuer"], fresh["raw"]), 1.05)
	b.atMost("token exchange, x C", ratio(exchanges["issuer"], exchanges["exchange"]), 1.25)
	return nil
}

// cost is the CPU time of a request in µs.
func (p *process) cost(body []byte, fresh bool) (float64, error) {
	return p.costOf(always(body), fresh)
}

func (p *process) costOf(next func() []byte, fresh bool) (float64, error) {
	before := p.cpu()
	r, err := closed(p.address, next, connections, 333*time.Millisecond, fresh)
	if err != nil {
		return 0, err
	}
	if r.statuses[200] != len(r.latencies) {
		return 0, fmt.Errorf("answers %v", r.statuses)
	}
	return float64(p.cpu()-before) / 1e3 / float64(len(r.latencies)), nil
}
