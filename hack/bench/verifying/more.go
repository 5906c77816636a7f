package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/verifier"
)

// again is how many times a known token, or one of an unknown key, is verified between two looks at the clock.
const again = 4096

// row is a figure of this module alone.
type row struct {
	name    string
	measure func(into *cost) (float64, error)
}

// more measures what happens to tokens that come again, are forged, or name unknown keys.
func more(i *issuer, rounds int) error {
	v, remove, err := ours(i)
	if err != nil {
		return err
	}
	defer remove()
	listed, removeListed, err := oursBeside(i, fullList())
	if err != nil {
		return err
	}
	defer removeListed()
	rows, err := rowsOf(i, v, listed)
	if err != nil {
		return err
	}
	fmt.Printf("\n| %s, this module | µs | allocations |\n|---|---|---|\n", i.algorithm)
	costs, times := make([]cost, len(rows)), make([][]float64, len(rows))
	for range rounds {
		for n, r := range rows {
			took, err := r.measure(&costs[n])
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			times[n] = append(times[n], took)
		}
	}
	for n, r := range rows {
		fmt.Printf("| %s | %.2f | %.0f |\n", r.name, median(times[n])/1000, costs[n].allocations)
	}
	return full(i)
}

func rowsOf(i *issuer, v, listed *verifier.Verifier) ([]row, error) {
	known, err := i.tokens(1)
	if err != nil {
		return nil, err
	}
	verify := func(token string, want error) error {
		if _, err := v.Verify(context.Background(), token); !errors.Is(err, want) {
			return fmt.Errorf("got %w, want %w", err, want)
		}
		return nil
	}
	return []row{
		{"accepted, first time", func(c *cost) (float64, error) {
			tokens, err := i.tokens(batch)
			if err != nil {
				return 0, err
			}
			return measure(batch, c, func(n int) error { return verify(tokens[n], nil) })
		}},
		{"accepted, first time, beside 2,000 revocations", func(c *cost) (float64, error) {
			tokens, err := i.tokens(batch)
			if err != nil {
				return 0, err
			}
			return measure(batch, c, func(n int) error {
				_, err := listed.Verify(context.Background(), tokens[n])
				return err
			})
		}},
		{"the same token again, beside 2,000 revocations", func(c *cost) (float64, error) {
			return measure(again, c, func(int) error {
				_, err := listed.Verify(context.Background(), known[0])
				return err
			})
		}},
		{"refused: forged", func(c *cost) (float64, error) {
			tokens, err := i.tokens(batch)
			if err != nil {
				return 0, err
			}
			for n, token := range tokens {
				tokens[n] = token[:len(token)-8] + flip(token[len(token)-8]) + token[len(token)-7:]
			}
			return measure(batch, c, func(n int) error { return verify(tokens[n], verifier.ErrBadSignature) })
		}},
		{"refused: unknown kid, every one another", func(c *cost) (float64, error) {
			tokens, err := strangers(i)
			if err != nil {
				return 0, err
			}
			return measure(again, c, func(n int) error { return verify(tokens[n%len(tokens)], verifier.ErrUnknownKey) })
		}},
		{"the same token again, one core", func(c *cost) (float64, error) {
			return measure(again, c, func(int) error { return verify(known[0], nil) })
		}},
		{"the same token again, two goroutines on two cores", func(*cost) (float64, error) {
			return together(2, func(int) error { return verify(known[0], nil) })
		}},
	}, nil
}

// fullList is a revocation list with as many entries as a controller writes.
func fullList() []byte {
	var entries []string
	for n := range 2000 {
		sum := sha256.Sum256(fmt.Appendf(nil, "sub:%d", n))
		entries = append(entries, fmt.Sprintf("%q:%d", base64.RawURLEncoding.EncodeToString(sum[:])[:22], 1))
	}
	return []byte(`{"version":1,"keyIDs":[],"clockSkewSeconds":60,"ended":{` + strings.Join(entries, ",") + `}}`)
}

func flip(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

// strangers are tokens whose kids are in no set.
func strangers(i *issuer) ([]string, error) {
	var all []string
	for n := range batch {
		key := i.active
		key.KeyID = fmt.Sprintf("%043d", n)
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: i.algorithm, Key: key}, (&jose.SignerOptions{}).WithType("at+jwt"))
		if err != nil {
			return nil, err
		}
		tokens, err := i.tokensWith(signer, 1)
		if err != nil {
			return nil, err
		}
		all = append(all, tokens...)
	}
	return all, nil
}

// together runs f on several cores at once, and returns nanoseconds of CPU time a call. Waiting for one another would
// cost CPU time that one goroutine does not need.
func together(goroutines int, f func(int) error) (float64, error) {
	errs := make([]error, goroutines)
	var group sync.WaitGroup
	began := cpuTime()
	for g := range goroutines {
		group.Go(func() {
			for n := range again {
				if err := f(n); err != nil {
					errs[g] = err
					return
				}
			}
		})
	}
	group.Wait()
	return float64(cpuTime()-began) / float64(again*goroutines), errors.Join(errs...)
}

// full measures the heap of a Verifier that remembers as many tokens as it may.
func full(i *issuer) error {
	if i.algorithm == jose.RS256 {
		return nil // signing so many takes half a minute, and the algorithm makes no difference here
	}
	tokens, err := i.tokens(3 * again)
	if err != nil {
		return err
	}
	before := heap()
	v, remove, err := ours(i)
	if err != nil {
		return err
	}
	defer remove()
	for _, token := range tokens {
		if _, err := v.Verify(context.Background(), token); err != nil {
			return err
		}
	}
	fmt.Printf("| a Verifier after %d tokens | %.2f MB of heap | |\n", len(tokens), float64(heap()-before)/1e6)
	runtime.KeepAlive(tokens)
	return nil
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
