package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// names measures whether the time of a failed login tells if there is a user of that name. Both kinds take turns.
func (b *bench) names(ctx context.Context, rounds int) error {
	hashes, err := b.hashes(ctx)
	if err != nil {
		return err
	}
	fmt.Println("\n| a failed login, one at a time | of a user, wrong password | of nobody | ratio of the medians |")
	fmt.Println("|---|---|---|---|")
	for _, list := range hashes {
		if err := b.users(user(list.hash)); err != nil {
			return err
		}
		known, unknown, err := b.failures(ctx, 25*rounds)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %.1f ms | %.1f ms | %.3f |\n", list.name, median(known), median(unknown), median(unknown)/median(known))
		b.atMost("a failed login of nobody, how far from that of a user: "+list.name, math.Abs(median(unknown)/median(known)-1), .02)
	}
	return nil
}

// failures are how many ms it takes to refuse a user with a wrong password, and a name that nobody has.
func (b *bench) failures(ctx context.Context, times int) (known, unknown []float64, err error) {
	p, err := b.start(ctx, "issuer")
	if err != nil {
		return nil, nil, err
	}
	defer p.stop()
	c, err := dial(p.address)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = c.Close() }()
	reader := bufio.NewReader(c)
	attempt := func(name string, took *[]float64) error {
		began := time.Now()
		status, err := exchange(c, reader, logInAs(name, "wrong"))
		if err == nil && status != 400 {
			err = fmt.Errorf("a failed login is answered with %d", status)
		}
		*took = append(*took, time.Since(began).Seconds()*1e3)
		return err
	}
	for i := range times {
		alice := func() error { return attempt("alice", &known) }
		nobody := func() error { return attempt(fmt.Sprintf("nobody-%d", i), &unknown) }
		first, second := alice, nobody
		if i%2 == 1 { // or what the collector does every second time would count for one of them
			first, second = nobody, alice
		}
		if err := errors.Join(first(), second()); err != nil {
			return nil, nil, err
		}
	}
	return known, unknown, nil
}
