package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// storms measures other requests while 32 clients log in as fast as they can.
func (b *bench) storms(ctx context.Context, rounds int) error {
	hashes, err := b.hashes(ctx)
	if err != nil {
		return err
	}
	fmt.Println("\n| 32 clients log in, 100 client credentials a second | p50 | p99 of those | p99 without logins | logins a second | of what hashing alone allows | other grants, of their throughput without logins |")
	fmt.Println("|---|---|---|---|---|---|---|")
	for _, storm := range hashes {
		if err := b.users(user(storm.hash)); err != nil {
			return err
		}
		if err := b.stormOf(ctx, rounds, storm.name, storm.hash); err != nil {
			return err
		}
	}
	return nil
}

// stormOf measures logins of a user with a hash.
func (b *bench) stormOf(ctx context.Context, rounds int, name, hash string) error {
	var p50, p99, calm, logins, shares, kept []float64
	refused := 0
	for range rounds {
		alone, err1 := b.hashesAlone(ctx, hash)
		before, others, storming, err2 := b.storm(ctx)
		throughput, err3 := b.throughputKept(ctx)
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		p50, p99 = append(p50, others.quantile(.5).Seconds()*1e3), append(p99, others.quantile(.99).Seconds()*1e3)
		calm = append(calm, before.quantile(.99).Seconds()*1e3)
		logins, shares = append(logins, storming.rate(200)), append(shares, storming.rate(200)/alone)
		kept = append(kept, throughput)
		refused += storming.statuses[503]
	}
	fmt.Printf("| %s | %.1f ms | %.1f ms | %.1f ms | %.1f | %.2f (%d times 503) | %.2f |\n", name, median(p50), median(p99), median(calm), median(logins), median(shares),
		refused, median(kept))
	b.atMost("other grants while 32 clients log in, p99 ms: "+name, median(p99), 5)
	b.atLeast("logins in that storm, of what hashing alone allows: "+name, median(shares), .95)
	b.atLeast("throughput of other grants in that storm, of that without: "+name, median(kept), .9)
	return nil
}

// storm sends other requests, evenly spaced, before many log in and while they do.
func (b *bench) storm(ctx context.Context) (before, others, storming *result, err error) {
	p, err := b.start(ctx, "issuer")
	if err != nil {
		return nil, nil, nil, err
	}
	defer p.stop()
	if before, err = paced(p.address, always(clientCredentials()), 10*time.Millisecond, 4*time.Second); err != nil {
		return nil, nil, nil, err
	}
	done := make(chan error, 1)
	go func() {
		var err error
		storming, err = closed(p.address, always(logIn(password)), 32, 5*time.Second, false)
		done <- err
	}()
	<-time.After(500 * time.Millisecond) // its connections are not what is measured
	others, err = paced(p.address, always(clientCredentials()), 10*time.Millisecond, 4*time.Second)
	return before, others, storming, errors.Join(err, <-done)
}

// throughputKept is how many other requests a second the issuer answers while many log in, of those that it answers otherwise:
// both times as many as it can.
func (b *bench) throughputKept(ctx context.Context) (float64, error) {
	p, err := b.start(ctx, "issuer")
	if err != nil {
		return 0, err
	}
	defer p.stop()
	alone, err := closed(p.address, always(clientCredentials()), connections, 2*time.Second, false)
	if err != nil {
		return 0, err
	}
	done := make(chan error, 1)
	go func() {
		_, err := closed(p.address, always(logIn(password)), 32, 3*time.Second, false)
		done <- err
	}()
	beside, err := closed(p.address, always(clientCredentials()), connections, 2*time.Second, false)
	return beside.rate(200) / alone.rate(200), errors.Join(err, <-done)
}

// hashesAlone is how many logins a second one client gets that has the issuer for itself: what hashing alone allows.
func (b *bench) hashesAlone(ctx context.Context, hash string) (float64, error) {
	p, err := b.start(ctx, "issuer")
	if err != nil {
		return 0, err
	}
	defer p.stop()
	r, err := closed(p.address, always(logIn(password)), 1, 3*time.Second, false)
	if err != nil {
		return 0, err
	}
	return r.rate(200), nil
}
