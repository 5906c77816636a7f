package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// requests measures the CPU time of a client credentials request. The servers take turns, a third of a second each, so that
// whatever else the machine does meets all of them.
func (b *bench) requests(ctx context.Context, rounds int) error {
	kinds := []string{"static", "raw", "issuer"}
	servers := map[string]*process{}
	for _, kind := range kinds {
		p, err := b.start(ctx, kind)
		if err != nil {
			return err
		}
		defer p.stop()
		servers[kind] = p
	}
	kept, fresh := map[string][]float64{}, map[string][]float64{}
	var exchanges, sums []float64
	for range 5 * rounds {
		for _, kind := range kinds {
			cost, err1 := servers[kind].cost(clientCredentials(), false)
			costFresh, err2 := servers[kind].cost(clientCredentials(), true)
			if err := errors.Join(err1, err2); err != nil {
				return err
			}
			kept[kind], fresh[kind] = append(kept[kind], cost), append(fresh[kind], costFresh)
		}
		exchange, err := servers["issuer"].cost(b.subject.exchange(), false)
		if err != nil {
			return err
		}
		exchanges, sums = append(exchanges, exchange), append(sums, kept["raw"][len(kept["raw"])-1]+b.subject.check())
	}
	defer func() {
		fmt.Printf("\ntoken exchange, RS256 verified and ES256 signed: %.1f µs, %.2f x the sum of the bare signature check and B\n",
			median(exchanges), ratio(exchanges, sums))
	}()
	fmt.Println("| client credentials, ES256 | CPU µs a request | x A | x B | CPU µs with a new TLS connection | x A |")
	fmt.Println("|---|---|---|---|---|---|")
	for i, kind := range kinds {
		name := []string{"A: constant answer", "B: raw signature", "issuer, with audit log and metrics"}[i]
		fmt.Printf("| %s | %.1f | %.2f | %.2f | %.0f | %.2f |\n", name, median(kept[kind]), ratio(kept[kind], kept["static"]),
			ratio(kept[kind], kept["raw"]), median(fresh[kind]), ratio(fresh[kind], fresh["static"]))
	}
	return nil
}

// cost is the CPU time of a request in µs.
func (p *process) cost(body []byte, fresh bool) (float64, error) {
	before := p.cpu()
	r, err := closed(p.address, body, connections, 333*time.Millisecond, fresh)
	if err != nil {
		return 0, err
	}
	if r.statuses[200] != len(r.latencies) {
		return 0, fmt.Errorf("answers %v", r.statuses)
	}
	return float64(p.cpu()-before) / 1e3 / float64(len(r.latencies)), nil
}
