package verifier

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clock is a clock that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

// log is what a Verifier said, a line each.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

// count returns how many lines hold the text.
func (l *log) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

func (l *log) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// follower is a Verifier under test. Its own polls are a minute apart, longer than a test: tests call poll.
type follower struct {
	*Verifier
	t     *testing.T
	clock *clock
	log   *log
}

func follow(t *testing.T, path string) *follower {
	t.Helper()
	return followSource(t, File(path))
}

func followSource(t *testing.T, source Source) *follower {
	t.Helper()
	f := &follower{t: t, clock: &clock{now: testNow.Add(time.Minute)}, log: &log{}}
	v, err := New(Config{
		Issuers: map[string]Source{testIssuer: source}, Audience: testAudience,
		PollInterval: time.Minute, Now: f.clock.Now, Logger: f.log.logger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	f.Verifier = v
	return f
}

// feed is the one that is followed.
func (f *follower) feed() *poller { return f.issuerVerifiers[0].poller }

// poll looks at the source as the Verifier does by itself.
func (f *follower) poll() { f.feed().poll(f.t.Context(), false) }

// wants checks which keys the Verifier trusts after the moment that name describes.
func (f *follower) wants(name string, ids ...string) {
	f.t.Helper()
	if diff := cmp.Diff(ids, f.KeySets()[0].KeyIDs); diff != "" {
		f.t.Errorf("%s: key IDs (-want +got):\n%s", name, diff)
	}
}

// verify checks what becomes of a token.
func (f *follower) verify(name, token string, want error) {
	f.t.Helper()
	_, err := f.Verify(f.t.Context(), token)
	wantError(f.t, name, err, want, token)
}

func TestFollowsSwaps(t *testing.T) {
	es, other := esKey(), otherKey()
	mounted := newVolume(t, setOf(es.jwk()))
	f := follow(t, mounted.path())
	f.verify("at start", es.good(), nil)

	mounted.update(setOf(es.jwk(), other.jwk()), testNow)
	f.poll()
	f.wants("a key was added", "es", "other")
	f.verify("the new key", other.good(), nil)

	mounted.update(setOf(other.jwk()), testNow)
	f.poll()
	f.wants("a key was removed", "other")
	f.verify("the removed key", es.good(), ErrUnknownKey)

	mounted.update([]byte(`{"keys":[]}`), testNow)
	f.poll()
	f.verify("all keys removed", other.good(), ErrUnknownKey)
	if f.log.count("every token is refused") != 1 {
		t.Errorf("the empty set was not said: %s", f.log.text.String())
	}
}

// Sets of the same length with the same modification time must still be told apart.
func TestFollowsChangesOfEqualSizeAndTime(t *testing.T) {
	first, second := testKey{"k1", esKey().alg, esKey().private}, testKey{"k2", otherKey().alg, otherKey().private}
	write := func(path string, content []byte) {
		must(0, os.WriteFile(path, content, 0o644))
		must(0, os.Chtimes(path, testNow, testNow))
	}
	t.Run("swap of ..data", func(t *testing.T) {
		mounted := newVolume(t, setOf(first.jwk()))
		f := follow(t, mounted.path())
		mounted.update(setOf(second.jwk()), testNow)
		f.poll()
		f.wants("swapped", "k2")
	})
	t.Run("plain file renamed over", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "main.json")
		write(path, setOf(first.jwk()))
		f := follow(t, path)
		write(path+".new", setOf(second.jwk()))
		must(0, os.Rename(path+".new", path))
		f.poll()
		f.wants("renamed", "k2")
	})
	t.Run("plain file written again", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "main.json")
		write(path, setOf(first.jwk()))
		f := follow(t, path)
		write(path, setOf(second.jwk()))
		must(0, os.Chtimes(path, testNow, testNow.Add(time.Second)))
		f.poll()
		f.wants("written again", "k2")
		write(path, setOf(second.jwk(), first.jwk()))
		must(0, os.Chtimes(path, testNow, testNow.Add(time.Second)))
		f.poll()
		f.wants("longer", "k1", "k2")
	})
	t.Run("plain file written in place, its old time set again", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "main.json")
		write(path, setOf(first.jwk()))
		f := follow(t, path)
		write(path, setOf(second.jwk()))
		f.poll()
		f.wants("written again", "k2")
	})
	t.Run("plain file written in place, and nothing tells it", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "main.json")
		write(path, setOf(first.jwk()))
		f := follow(t, path)
		write(path, setOf(second.jwk()))
		f.feed().reader.(*fileReader).lastRead = fileVersions{keys: must(identify(path))}
		f.clock.advance(rereadInterval - 1)
		f.poll()
		f.wants("before it is due", "k1")
		f.clock.advance(1)
		f.poll()
		f.wants("when it is due", "k2")
	})
	t.Run("plain file written again within one tick of its clock", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "main.json")
		write(path, setOf(first.jwk()))
		f := follow(t, path)
		write(path, setOf(second.jwk()))
		must(0, os.Chtimes(path, testNow, f.clock.Now()))
		f.poll()
		f.wants("first write", "k2")
		write(path, setOf(first.jwk()))
		must(0, os.Chtimes(path, testNow, f.clock.Now()))
		f.poll()
		f.wants("second write", "k1")
	})
}

func TestKeepsTheLastGoodSet(t *testing.T) {
	es, other := esKey(), otherKey()
	good := setOf(es.jwk())
	for name, breakFile := range map[string]func(*volume){
		"file gone":      func(v *volume) { v.update(nil, testNow) },
		"volume gone":    func(v *volume) { v.check(os.RemoveAll(v.Directory)) },
		"..data gone":    func(v *volume) { v.check(os.Remove(v.Path("..data"))) },
		"file empty":     func(v *volume) { v.update([]byte{}, testNow) },
		"half written":   func(v *volume) { v.update(good[:len(good)/2], testNow) },
		"garbage":        func(v *volume) { v.update(bytes.Repeat([]byte{0xfe}, 1<<20), testNow) },
		"4 MiB":          func(v *volume) { v.update(append(bytes.Clone(good), bytes.Repeat([]byte(" "), 4<<20)...), testNow) },
		"a private key":  func(v *volume) { v.update(setOf(other.jwkWith(map[string]any{"d": "AA"})), testNow) },
		"another volume": func(v *volume) { v.update([]byte(`{"users":[]}`), testNow) },
		"a directory": func(v *volume) {
			v.update(nil, testNow)
			v.check(os.Symlink(filepath.Join("..data", "main.json"), v.path()))
			v.check(os.Mkdir(v.Path("..data/main.json"), 0o755))
		},
		"a pipe": func(v *volume) {
			v.update(nil, testNow)
			v.check(os.Symlink(filepath.Join("..data", "main.json"), v.path()))
			v.check(syscall.Mkfifo(v.Path("..data/main.json"), 0o644))
		},
	} {
		t.Run(name, func(t *testing.T) {
			mounted := newVolume(t, good)
			f := follow(t, mounted.path())
			breakFile(mounted)
			for range 3 {
				f.poll()
				f.clock.advance(time.Second)
				f.verify("an unknown key", other.good(), ErrKeysUnavailable)
			}
			f.verify("after the failure", es.good(), nil)
			if got := f.log.count("cannot be read"); got != 1 {
				t.Errorf("the failure was logged %d times: %s", got, f.log.text.String())
			}
			if _, err := os.Stat(mounted.Directory); err != nil {
				return
			}
			mounted.update(setOf(es.jwk(), other.jwk()), testNow)
			f.poll()
			f.wants("whole again", "es", "other")
			if got := f.log.count("readable again"); got != 1 {
				t.Errorf("the end of the failure was logged %d times: %s", got, f.log.text.String())
			}
		})
	}
}

func TestLogsEachDistinctFailure(t *testing.T) {
	mounted := newVolume(t, setOf(esKey().jwk()))
	f := follow(t, mounted.path())
	for i, content := range []string{"", "{", "", `{"keys":1}`} {
		mounted.update([]byte(content), testNow)
		f.poll()
		f.poll()
		if got := f.log.count("cannot be read"); got != i+1 {
			t.Errorf("after failure %d: %d lines: %s", i+1, got, f.log.text.String())
		}
	}
	mounted.update(setOf(esKey().jwk()), testNow)
	f.poll()
	f.poll()
	if f.log.count("readable again") != 1 || f.log.count("key set loaded") != 1 {
		t.Errorf("the same set again: %s", f.log.text.String())
	}
}

func TestUnknownKeyReadsTheFileAtOnce(t *testing.T) {
	es, other := esKey(), otherKey()
	mounted := newVolume(t, setOf(es.jwk()))
	f := follow(t, mounted.path())

	mounted.update(setOf(es.jwk(), other.jwk()), testNow)
	f.verify("published a moment ago", other.good(), nil)

	late := newECKey("late", es.alg, elliptic.P256())
	mounted.update(setOf(es.jwk(), late.jwk()), testNow)
	f.verify("known until the next look", other.good(), nil)
	f.verify("second unknown kid within a second", late.good(), ErrUnknownKey)
	f.clock.advance(time.Second - 1)
	f.verify("just under a second", late.good(), ErrUnknownKey)
	f.clock.advance(1)
	f.verify("after a second", late.good(), nil)
	f.verify("gone since", other.good(), ErrUnknownKey)

	mounted.update(setOf(other.jwk()), testNow)
	f.clock.advance(-time.Hour)
	f.verify("clock set back", other.good(), ErrNotYetValid)
	f.wants("clock set back", "other")
}

func TestFloodOfUnknownKeysReadsOnceASecond(t *testing.T) {
	mounted := newVolume(t, setOf(esKey().jwk()))
	f := follow(t, mounted.path())
	counted := gated(t, f.feed(), nil)
	for range 1000 {
		f.verify("flood", otherKey().good(), ErrUnknownKey)
	}
	if counted.reads.Load() != 1 {
		t.Errorf("1000 unknown kids caused %d reads", counted.reads.Load())
	}
}

// gate counts the reads of what stands behind it, and lets each through when something comes out of open, if that is
// not nil.
type gate struct {
	sourceReader
	open  chan struct{}
	reads atomic.Int32
}

// gated puts a gate before what a feed reads, once the goroutine that follows it has begun.
func gated(t *testing.T, f *poller, open chan struct{}) *gate {
	before := f.lastRefresh.Swap(f.config.Now().UnixNano()) // so that nothing is read now
	must(0, f.requestPoll(t.Context()))
	f.lastRefresh.Store(before)
	g := &gate{sourceReader: f.reader, open: open}
	f.reader = g
	return g
}

func (g *gate) read(ctx context.Context, now time.Time, again bool) (rawContent, error) {
	g.reads.Add(1)
	if g.open != nil {
		<-g.open
	}
	return g.sourceReader.read(ctx, now, again)
}

// Tokens that arrive while the file is read must not be refused for it: they wait, and share what was found.
func TestUnknownKeysShareOneRead(t *testing.T) {
	mounted := newVolume(t, setOf(esKey().jwk()))
	f := follow(t, mounted.path())
	gate := gated(t, f.feed(), make(chan struct{}))
	mounted.update(setOf(otherKey().jwk()), testNow)
	token := otherKey().good()

	results := make(chan error)
	const callers = 50
	started := make(chan struct{})
	for range callers {
		go func() {
			started <- struct{}{}
			_, err := f.Verify(t.Context(), token)
			results <- err
		}()
	}
	for range callers {
		<-started
	}
	gate.open <- struct{}{}
	for range callers {
		if err := <-results; err != nil {
			t.Errorf("a caller got %v", err)
		}
	}
	if got := gate.reads.Load(); got != 1 {
		t.Errorf("read %d times", got)
	}
}

func TestVerifyWaitsNoLongerThanItsContext(t *testing.T) {
	mounted := newVolume(t, setOf(esKey().jwk()))
	f := follow(t, mounted.path())
	gate := gated(t, f.feed(), make(chan struct{}))
	defer close(gate.open)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := f.Verify(ctx, otherKey().good())
		ended <- err
	}()
	for gate.reads.Load() == 0 { // until the first is being answered
		runtime.Gosched()
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("unknown kid, while the file is read: %v", err)
	}
	if _, err := f.Verify(ctx, otherKey().good()); !errors.Is(err, context.Canceled) {
		t.Errorf("unknown kid, behind another one: %v", err)
	}
	if _, err := f.Verify(ctx, esKey().good()); err != nil {
		t.Errorf("known kid, which needs no waiting: %v", err)
	}
}

// A file that is replaced between the look at its identity and the reading of its content is read again.
func TestFollowsSwapDuringRead(t *testing.T) {
	es, other := esKey(), otherKey()
	mounted := newVolume(t, setOf(es.jwk()))
	f := follow(t, mounted.path())
	before := must(identify(mounted.path()))
	mounted.update(setOf(other.jwk()), testNow)
	if _, err := f.feed().reader.(*fileReader).readVersion(fileVersions{keys: before}, testNow); err == nil {
		t.Error("the directory of the identity is gone, and could be read")
	}
	f.poll()
	f.wants("next poll", "other")
}

// What was not changed is not read, unless somebody asks for it.
func TestUnchangedFileIsNotReadAgain(t *testing.T) {
	f := follow(t, newVolume(t, setOf(esKey().jwk())).path())
	if _, err := f.feed().reader.read(t.Context(), f.clock.Now(), false); !errors.Is(err, errUnchanged) {
		t.Errorf("a second look: %v", err)
	}
	if read, err := f.feed().reader.read(t.Context(), f.clock.Now(), true); err != nil || len(read.keySet) == 0 {
		t.Errorf("asked for: %d bytes, %v", len(read.keySet), err)
	}
}

// What was changed a moment ago may change again within one tick of the file system's clock, whatever its modification
// time says; and so may what was read by a clock that was set back since.
func TestFileThatHasNotSettledIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "main.json")
	must(0, os.WriteFile(path, setOf(esKey().jwk()), 0o644))
	must(0, os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)))
	found := must(identify(path))
	for age, reads := range map[time.Duration]bool{settleTime - 1: true, settleTime: false} {
		f := fileReader{path: path}
		readAt := found.changed.Add(age)
		must(f.readVersion(fileVersions{keys: found}, readAt))
		if _, err := f.read(t.Context(), readAt, false); errors.Is(err, errUnchanged) == reads {
			t.Errorf("changed %v before it was read: %v", age, err)
		}
		if _, err := f.read(t.Context(), readAt.Add(-1), false); err != nil {
			t.Errorf("the clock was set back: %v", err)
		}
	}
}

// A file system may give a new file the number of one that is gone: then the path tells them apart, size or time.
func TestIdentity(t *testing.T) {
	found := must(identify(newVolume(t, setOf(esKey().jwk())).path()))
	path, size, modified, changed, inode := found, found, found, found, found
	inode.file = must(identify(newVolume(t, setOf(esKey().jwk())).path())).file
	path.path += "2"
	size.size++
	modified.modified, changed.changed = modified.modified.Add(1), changed.changed.Add(1)
	for name, other := range map[string]fileIdentity{"path": path, "size": size, "time": modified, "change": changed, "inode": inode, "nothing read yet": {}} {
		if found.equal(other) {
			t.Errorf("another %s: taken for the same", name)
		}
	}
	if !found.equal(found) || !(fileIdentity{}).equal(fileIdentity{}) {
		t.Error("not the same as itself")
	}
	// Either time tells, where a system has both.
	now := testNow
	for name, young := range map[string]fileIdentity{"modified": {modified: now.Add(1 - settleTime)}, "changed": {changed: now.Add(1 - settleTime)}} {
		if young.settled(now) || !young.settled(now.Add(1)) {
			t.Errorf("%s a moment ago: settled %v, and later %v", name, young.settled(now), young.settled(now.Add(1)))
		}
	}
}

// A file that appears is another version than none, and none is another one than a file.
func TestFileThatAppearsIsAChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "main.revoked")
	must(0, os.WriteFile(path, nil, 0o644))
	there := must(identify(path))
	if none := (fileIdentity{}); none.equal(there) || there.equal(none) || !none.equal(none) || !there.equal(there) {
		t.Error("a file is taken for none, or none for a file")
	}
}
