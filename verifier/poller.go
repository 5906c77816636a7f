package verifier

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
)

// poller polls one source and holds the current snapshot of its keys, for one or more issuers. Only the goroutine
// that calls run reads the source and writes the fields that are not atomic.
type poller struct {
	issuers            []string
	source             Source
	reader             sourceReader
	config             Config
	interval           time.Duration // between two polls
	minRefreshInterval time.Duration // between two polls that unknown kids cause

	current atomic.Pointer[snapshot]
	status  atomic.Pointer[KeySetStatus] // without the issuer
	// keysFailed is true if the last poll could not read the key set, whether or not it read the revocation list.
	keysFailed      atomic.Bool
	done            <-chan struct{}    // closed when run has ended or will end
	loaded          chan<- struct{}    // receives a signal for new keys, nil without an Accelerator
	refreshRequests chan chan struct{} // receives a channel for each requested poll, which run closes after that poll
	lastRefresh     atomic.Int64       // when an unknown kid last caused a poll, in nanoseconds since 1970
}

func newPoller(issuers []string, source Source, config Config, done <-chan struct{}) *poller {
	p := &poller{issuers: issuers, source: source, config: config, done: done, refreshRequests: make(chan chan struct{})}
	p.interval, p.minRefreshInterval = source.intervals()
	if config.PollInterval > 0 {
		p.interval = config.PollInterval
	}
	return p
}

// openPoller reads the key set for the first time, and returns an error if it is not usable.
func openPoller(ctx context.Context, issuers []string, source Source, config Config) (*poller, error) {
	p := newPoller(issuers, source, config, ctx.Done())
	names := strings.Join(issuers, ", ")
	opened, err := source.open()
	if err != nil {
		return nil, fmt.Errorf("key set %s of %s: %w", source, names, err)
	}
	p.reader = opened
	read, err := opened.read(ctx, config.Now(), true)
	if err == nil {
		err = p.update(read).err()
	}
	if err != nil {
		opened.close()
		return nil, fmt.Errorf("reading the key set %s of %s: %w (a file comes from the ConfigMap keywright-jwks: mount it "+
			"with optional: false, and check that the SigningKey selects its namespace)", source, names, err)
	}
	if reason := opened.immutableReason(); reason != "" {
		p.logger().Error("the key set will never change: "+reason, "consequence",
			"valid tokens will be refused after the next rotation, and revoked keys will still be trusted")
	}
	p.report(failures{})
	return p, nil
}

// firstRetry is the delay before the first retry of a failed poll, if the interval is longer. Each further failure
// doubles it.
const firstRetry = 3 * time.Second

// run polls the source once per interval, and on request, until ctx is done.
func (p *poller) run(ctx context.Context) {
	defer p.reader.close()
	next := time.NewTimer(p.interval)
	defer next.Stop()
	retry := firstRetry
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
			p.poll(ctx, false)
			if p.status.Load().Failure == "" {
				next.Reset(p.interval)
				retry = firstRetry
				continue
			}
			next.Reset(min(retry, p.interval))
			retry = min(2*retry, p.interval)
		case answered := <-p.refreshRequests:
			if now := p.config.Now(); p.mayRefresh(now) {
				p.poll(ctx, true)
				p.lastRefresh.Store(now.UnixNano())
			}
			if ctx.Err() != nil {
				return // the poll was canceled, and waiting callers return because p.done is closed
			}
			close(answered)
		}
	}
}

// poll reads the source if it may have changed. If force is set or the last poll failed, it reads it in any case.
func (p *poller) poll(ctx context.Context, force bool) {
	read, err := p.reader.read(ctx, p.config.Now(), force || p.status.Load().Failure != "")
	if ctx.Err() != nil {
		return
	}
	if errors.Is(err, errUnchanged) {
		p.setStatus("")
		return
	}
	failed := failures{keys: err}
	if err == nil {
		failed = p.update(read)
	}
	p.report(failed)
}

// refresh returns the current snapshot after a poll, for a token whose kid is not in tried. If an unknown kid caused
// a poll less than p.minRefreshInterval ago, it does not poll again. Concurrent callers share one poll. readable
// reports whether the last poll read the key set. The error is that of ctx, or ErrClosed.
func (p *poller) refresh(ctx context.Context, tried *snapshot) (keys *snapshot, readable bool, err error) {
	if p.current.Load() == tried && p.mayRefresh(p.config.Now()) {
		if err := p.requestPoll(ctx); err != nil {
			return nil, false, err
		}
	}
	// The order matters: if a poll succeeds between the two loads, its keys are returned.
	readable = !p.keysFailed.Load()
	return p.current.Load(), readable, nil
}

// requestPoll makes run poll the source, and waits for the result.
func (p *poller) requestPoll(ctx context.Context) error {
	answered := make(chan struct{})
	select {
	case p.refreshRequests <- answered:
	case <-p.done:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-answered:
		return nil
	case <-p.done:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// mayRefresh reports whether an unknown kid may cause a poll now. It returns true if the clock was set back.
func (p *poller) mayRefresh(now time.Time) bool {
	since := now.UnixNano() - p.lastRefresh.Load()
	return since < 0 || since >= int64(p.minRefreshInterval)
}

// update replaces the current snapshot if the content of the source changed. Key set and revocation list are updated
// independently, so that an invalid list does not keep a revoked key, and an invalid set does not keep a revoked
// token.
func (p *poller) update(read rawContent) failures {
	next := parsedContent{revocations: &revocationList{}}
	current := p.current.Load()
	if current != nil {
		next = current.parsedContent
	}
	failed := failures{keys: p.updateKeys(&next, read.keySet), list: read.listFailure}
	if failed.list == nil {
		failed.list = p.updateList(&next, read.revocationList)
	}
	if next.keySet == nil || current != nil && next == current.parsedContent {
		return failed
	}
	p.current.Store(newSnapshot(next, p.config))
	select {
	case p.loaded <- struct{}{}:
	default: // no Accelerator, or a signal is already pending
	}
	return failed
}

// updateKeys parses the key set if its bytes changed.
func (p *poller) updateKeys(next *parsedContent, keys []byte) error {
	digest := sha256.Sum256(keys)
	if next.keySetDigest == digest {
		return nil
	}
	set, err := ParseKeySet(keys)
	if err != nil {
		return err
	}
	if p.loaded != nil && next.keySet != nil {
		set.reusePrepared(next.keySet)
	}
	next.keySet, next.keySetDigest = set, digest
	p.logger().Info("key set loaded", "keyIDs", set.KeyIDs(), "skippedKeys", set.skipped)
	if len(set.keys) == 0 {
		p.logger().Warn("the key set has no usable key: every token is refused")
	}
	return nil
}

// updateList parses the revocation list if its bytes changed. A list that is missing after it existed is an error.
func (p *poller) updateList(next *parsedContent, list []byte) error {
	if list == nil {
		if next.revocationsDigest != ([sha256.Size]byte{}) {
			return errors.New("revocation list: the file was removed")
		}
		return nil
	}
	digest := sha256.Sum256(list)
	if next.revocationsDigest == digest {
		return nil
	}
	r, err := parseRevocationList(list)
	if err != nil {
		return err
	}
	p.logger().Info("revocation list loaded", "entries", len(r.revokedUntil), "all", r.allRevokedUntil > 0)
	if r.skew > 0 && r.skew < p.config.ClockSkew && r.skew != next.revocations.skew {
		p.logger().Warn("Config.ClockSkew is longer than the clockSkew of the SigningKey: exp is checked with the latter", "clockSkew", r.skew)
	}
	next.revocations, next.revocationsDigest = r, digest
	return nil
}

// failures holds the errors of reading the key set and the revocation list.
type failures struct{ keys, list error }

func (f failures) err() error {
	if f.keys != nil && f.list != nil {
		return fmt.Errorf("%w; %w", f.keys, f.list)
	}
	return cmp.Or(f.keys, f.list)
}

// report logs a failure when it begins, changes or ends, so that a broken file does not fill the log.
func (p *poller) report(failed failures) {
	failure, before := "", ""
	if err := failed.err(); err != nil {
		failure = err.Error()
	}
	if status := p.status.Load(); status != nil {
		before = status.Failure
	}
	switch {
	case failure == before:
	case failure == "":
		p.logger().Info("key set readable again")
	case failed.keys == nil:
		p.logger().Error("revocation list cannot be read; the last good one stays in use", "error", failure)
	default:
		p.logger().Error("key set cannot be read; the last good one stays in use", "error", failure)
	}
	p.keysFailed.Store(failed.keys != nil)
	p.setStatus(failure)
	for _, issuer := range p.issuers {
		p.config.Observer.KeySetRead(p.status.Load().of(issuer))
	}
}

// setStatus records the result of a poll.
func (p *poller) setStatus(failure string) {
	now, current := p.config.Now(), p.current.Load()
	status := KeySetStatus{
		Source: p.source.String(), Failure: failure, Checked: now, Loaded: now,
		KeyIDs: current.keyIDs, Revoked: len(current.revocations.revokedUntil), Digest: hex.EncodeToString(current.keySetDigest[:8]),
	}
	if before := p.status.Load(); before != nil {
		if before.Digest == status.Digest {
			status.Loaded = before.Loaded
		}
		if failure != "" {
			status.Checked = before.Checked
		}
	}
	p.status.Store(&status)
}

// stale reports whether the last successful poll is longer ago than Config.MaxStaleness.
func (p *poller) stale(now time.Time) bool {
	limit := p.config.MaxStaleness
	return limit > 0 && now.Sub(p.status.Load().Checked) > limit
}

func (p *poller) logger() *slog.Logger {
	return p.config.Logger.With("issuers", p.issuers, "source", p.source.String())
}
