package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// starts measures how long it takes from the start of a process to its first TLS connection.
func (b *bench) starts(ctx context.Context, rounds int) error {
	took := map[string][]float64{}
	for range rounds {
		for _, kind := range []string{"raw", "issuer"} {
			p, err := b.start(ctx, kind)
			if err != nil {
				return err
			}
			p.stop()
			took[kind] = append(took[kind], float64(p.ready)/1e6)
		}
	}
	fmt.Printf("\nstart to the first TLS connection: issuer %.0f ms, B %.0f ms\n", median(took["issuer"]), median(took["raw"]))
	b.atMost("start to the first TLS connection, ms", median(took["issuer"]), 30)
	return nil
}

// memory measures the resident memory, idle and over many tokens.
func (b *bench) memory(ctx context.Context, tokens int) error {
	p, err := b.start(ctx, "issuer")
	if err != nil {
		return err
	}
	defer p.stop()
	idle, most := p.rss(), 0.0
	line := []string{fmt.Sprintf("idle %.1f MB", idle)}
	for done, quarter := 0, 1; done < tokens; {
		r, err := closed(p.address, always(clientCredentials()), connections, 2*time.Second, false)
		if err != nil {
			return err
		}
		if done += len(r.latencies); done >= quarter*tokens/4 {
			most = max(most, p.rss())
			line = append(line, fmt.Sprintf("after %d tokens %.1f MB", done, p.rss()))
			quarter = 4*done/tokens + 1
		}
	}
	fmt.Printf("\nresident memory: %s\n", strings.Join(line, ", "))
	b.atMost("resident memory, idle, MB", idle, 20)
	b.atMost("resident memory over these tokens, MB", most, 25)
	return nil
}
