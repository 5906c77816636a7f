package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"
)

// names measures whether the time of a failed login tells if there is a user of that name. Both kinds take turns.
func (b *bench) names(ctx context.Context, rounds int) error {
	slow, err := bcryptHash()
	if err != nil {
		return err
	}
	fast, err := b.argon2id(ctx)
	if err != nil {
		return err
	}
	fmt.Println("\n| a failed login, one at a time | of a user, wrong password | of nobody | ratio of the medians |")
	fmt.Println("|---|---|---|---|")
	for _, list := range []struct{ name, hash string }{{"bcrypt, cost 10", slow}, {"argon2id, 19 MiB, 2 passes", fast}} {
		if err := b.users(user(list.hash)); err != nil {
			return err
		}
		known, unknown, err := b.failures(ctx, 25*rounds)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %.1f ms | %.1f ms | %.3f |\n", list.name, median(known), median(unknown), median(unknown)/median(known))
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
	for i := range times {
		for _, one := range []struct {
			name string
			took *[]float64
		}{{"alice", &known}, {fmt.Sprintf("nobody-%d", i), &unknown}} {
			began := time.Now()
			status, err := exchange(c, reader, logInAs(one.name, "wrong"))
			if err != nil || status != 400 {
				return nil, nil, errors.Join(err, fmt.Errorf("a failed login is answered with %d", status))
			}
			*one.took = append(*one.took, time.Since(began).Seconds()*1e3)
		}
	}
	return known, unknown, nil
}
