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

// feed keeps the last good key set of one source, whose keys sign for one issuer or more. One goroutine, follow, reads
// the source and owns all fields but those that are atomic.
type feed struct {
	issuers  []string
	source   Source
	content  content
	config   Config
	interval time.Duration // between two looks
	floor    time.Duration // between two looks that unknown kids cause

	current atomic.Pointer[generation]
	status  atomic.Pointer[KeySetStatus] // without the issuer
	// keysFailed means that the last look found no keys to read, whatever became of the revocation list.
	keysFailed atomic.Bool
	done       <-chan struct{}    // closed when nobody follows any more
	loaded     chan<- struct{}    // hears of new keys, nil without an Accelerator
	asked      chan chan struct{} // who misses a key sends what is closed after the next look
	askedAt    atomic.Int64       // when an unknown kid last caused a look, in nanoseconds since 1970
}

func newFeed(issuers []string, source Source, config Config, done <-chan struct{}) *feed {
	f := &feed{issuers: issuers, source: source, config: config, done: done, asked: make(chan chan struct{})}
	f.interval, f.floor = source.pace()
	if config.PollInterval > 0 {
		f.interval = config.PollInterval
	}
	return f
}

// openFeed reads the key set for the first time, and fails if there is no good one.
func openFeed(ctx context.Context, issuers []string, source Source, config Config) (*feed, error) {
	f := newFeed(issuers, source, config, ctx.Done())
	names := strings.Join(issuers, ", ")
	opened, err := source.open()
	if err != nil {
		return nil, fmt.Errorf("key set %s of %s: %w", source, names, err)
	}
	f.content = opened
	read, err := opened.read(ctx, config.Now(), true)
	if err == nil {
		err = f.take(read).err()
	}
	if err != nil {
		opened.close()
		return nil, fmt.Errorf("reading the key set %s of %s: %w (a file comes from the ConfigMap keywright-jwks: mount it "+
			"with optional: false, and check that its namespace is a target of the SigningKey)", source, names, err)
	}
	if reason := opened.frozen(); reason != "" {
		f.logger().Error("the key set will never change: "+reason, "consequence",
			"valid tokens will be refused after the next rotation, and revoked keys trusted")
	}
	f.report(failures{})
	return f, nil
}

// firstRetry is how soon after a look that failed the next one is, if an interval is longer: what failed may have been the
// connection alone. Every further failure doubles it.
const firstRetry = 3 * time.Second

// follow looks at the source once an interval, and when somebody misses a key, until ctx ends.
func (f *feed) follow(ctx context.Context) {
	defer f.content.close()
	next := time.NewTimer(f.interval)
	defer next.Stop()
	retry := firstRetry
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
			f.look(ctx, false)
			if f.status.Load().Failure == "" {
				next.Reset(f.interval)
				retry = firstRetry
				continue
			}
			next.Reset(min(retry, f.interval))
			retry = min(2*retry, f.interval)
		case answered := <-f.asked:
			if now := f.config.Now(); f.mayAsk(now) {
				f.look(ctx, true)
				f.askedAt.Store(now.UnixNano())
			}
			if ctx.Err() != nil {
				return // the look was cut short: who waits hears of the end, and not that there is no such key
			}
			close(answered)
		}
	}
}

// look reads the source if it may have changed, and always if again is set or the last look failed.
func (f *feed) look(ctx context.Context, again bool) {
	read, err := f.content.read(ctx, f.config.Now(), again || f.status.Load().Failure != "")
	if ctx.Err() != nil {
		return
	}
	if errors.Is(err, errUnchanged) {
		f.confirm("")
		return
	}
	failed := failures{keys: err}
	if err == nil {
		failed = f.take(read)
	}
	f.report(failed)
}

// ask returns the keys to try again with after a kid was not among those tried. It has the source read, whatever its
// identity, unless an unknown kid did so less than f.floor ago; then it returns the current keys, which may be those
// tried. Callers wait for a look that is going on and share what it found. readable reports whether the last look was a
// good one. The error is that of ctx, or ErrClosed.
func (f *feed) ask(ctx context.Context, tried *generation) (keys *generation, readable bool, err error) {
	if f.current.Load() == tried && f.mayAsk(f.config.Now()) {
		if err := f.wait(ctx); err != nil {
			return nil, false, err
		}
	}
	// In this order: if a look succeeds between the two, its keys are returned. And not the keys of above: what forbids a
	// look may have been one that found the key.
	readable = !f.keysFailed.Load()
	return f.current.Load(), readable, nil
}

// wait has follow look at the source.
func (f *feed) wait(ctx context.Context) error {
	answered := make(chan struct{})
	select {
	case f.asked <- answered:
	case <-f.done:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-answered:
		return nil
	case <-f.done:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// mayAsk reports whether an unknown kid may cause a look now. A clock that was set back allows it.
func (f *feed) mayAsk(now time.Time) bool {
	since := now.UnixNano() - f.askedAt.Load()
	return since < 0 || since >= int64(f.floor)
}

// take puts a new generation in the place of the current one if what was read differs from what it was made of. Of keys and
// list each stays as it was where the new one cannot be read: a list that is broken must keep no revoked key, and a set that is
// broken no ended token.
func (f *feed) take(read version) failures {
	next := contents{revoked: &revoked{}}
	current := f.current.Load()
	if current != nil {
		next = current.contents
	}
	failed := failures{keys: f.takeKeys(&next, read.keys), list: read.listFailure}
	if failed.list == nil {
		failed.list = f.takeList(&next, read.list)
	}
	if next.keys == nil || current != nil && next == current.contents {
		return failed
	}
	f.current.Store(newGeneration(next, f.config))
	select {
	case f.loaded <- struct{}{}:
	default: // nobody prepares keys, or is told already
	}
	return failed
}

// takeKeys reads the keys if their bytes are others.
func (f *feed) takeKeys(next *contents, keys []byte) error {
	digest := sha256.Sum256(keys)
	if next.keysDigest == digest {
		return nil
	}
	set, err := ParseKeySet(keys)
	if err != nil {
		return err
	}
	if f.loaded != nil && next.keys != nil {
		set.keep(next.keys)
	}
	next.keys, next.keysDigest = set, digest
	f.logger().Info("key set loaded", "keyIDs", set.KeyIDs(), "skippedKeys", set.skipped)
	if len(set.keys) == 0 {
		f.logger().Warn("the key set has no usable key: every token is refused")
	}
	return nil
}

// takeList reads the revocation list if its bytes are others. A verifier never goes from a list to none.
func (f *feed) takeList(next *contents, list []byte) error {
	if list == nil {
		if next.listDigest != ([sha256.Size]byte{}) {
			return errors.New("revocation list: it is gone")
		}
		return nil
	}
	digest := sha256.Sum256(list)
	if next.listDigest == digest {
		return nil
	}
	r, err := parseRevoked(list)
	if err != nil {
		return err
	}
	f.logger().Info("revocation list loaded", "entries", len(r.ended), "all", r.allUntil > 0)
	if r.skew > 0 && r.skew < f.config.ClockSkew && r.skew != next.revoked.skew {
		f.logger().Warn("Config.ClockSkew is longer than the clockSkew of the SigningKey, which counts for exp", "clockSkew", r.skew)
	}
	next.revoked, next.listDigest = r, digest
	return nil
}

// failures are why the key set and the revocation list could not be read, nil where they could.
type failures struct{ keys, list error }

func (f failures) err() error {
	if f.keys != nil && f.list != nil {
		return fmt.Errorf("%w; %w", f.keys, f.list)
	}
	return cmp.Or(f.keys, f.list)
}

// report logs a failure when it begins or becomes another one, and its end, so that a broken file does not fill the log.
func (f *feed) report(failed failures) {
	failure, before := "", ""
	if err := failed.err(); err != nil {
		failure = err.Error()
	}
	if status := f.status.Load(); status != nil {
		before = status.Failure
	}
	switch {
	case failure == before:
	case failure == "":
		f.logger().Info("key set readable again")
	case failed.keys == nil:
		f.logger().Error("revocation list cannot be read; the last good one stays in use", "error", failure)
	default:
		f.logger().Error("key set cannot be read; the last good one stays in use", "error", failure)
	}
	f.keysFailed.Store(failed.keys != nil)
	f.confirm(failure)
	for _, issuer := range f.issuers {
		f.config.Observer.KeySetRead(f.status.Load().of(issuer))
	}
}

// confirm notes the result of a look.
func (f *feed) confirm(failure string) {
	now, current := f.config.Now(), f.current.Load()
	status := KeySetStatus{
		Source: f.source.String(), Failure: failure, Checked: now, Loaded: now,
		KeyIDs: current.keyIDs, Revoked: len(current.revoked.ended), Digest: hex.EncodeToString(current.keysDigest[:8]),
	}
	if before := f.status.Load(); before != nil {
		if before.Digest == status.Digest {
			status.Loaded = before.Loaded
		}
		if failure != "" {
			status.Checked = before.Checked
		}
	}
	f.status.Store(&status)
}

// stale reports whether the last good look is longer ago than the Config allows.
func (f *feed) stale(now time.Time) bool {
	limit := f.config.MaxStaleness
	return limit > 0 && now.Sub(f.status.Load().Checked) > limit
}

func (f *feed) logger() *slog.Logger {
	return f.config.Logger.With("issuers", f.issuers, "source", f.source.String())
}
