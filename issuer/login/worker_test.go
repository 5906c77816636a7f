package login

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// costly takes a second or more.
const costly = "$argon2id$v=19$m=65536,t=10,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// fresh is a worker with whom a Hasher begins.
func fresh(t *testing.T, h *Hasher) *worker {
	t.Helper()
	w, err := startWorker()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	h.pushIdle(w)
	return w
}

func parsedHash(t *testing.T, text string) Hash {
	t.Helper()
	hash, err := ParseHash(text)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// All threads of a worker are of low priority, also those on which argon2 has its lanes.
func TestWorkersHaveALowPriority(t *testing.T) {
	w := fresh(t, NewHasher(1, 1<<30))
	done := make(chan error, 1)
	go func() {
		_, err := w.verify(parsedHash(t, costly), "x")
		done <- err
	}()
	for seen := 0; ; {
		select {
		case err := <-done:
			if err != nil || seen == 0 {
				t.Errorf("%d threads seen: %v", seen, err)
			}
			return
		default:
		}
		files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", w.process.Pid))
		if err != nil || len(files) == 0 {
			t.Skip("there is no /proc here")
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				continue // a thread that has ended
			}
			_, rest, _ := strings.Cut(string(b), ") ")
			const nice = 19 - 3 // proc_pid_stat(5), of which the first two fields are cut off
			if fields := strings.Fields(rest); fields[nice] != "13" {
				t.Fatalf("a thread has the niceness %s", fields[nice])
			}
			seen++
		}
	}
}

// A worker that was killed costs nobody a login but the one it was busy with, and not even that if it was not new.
func TestWorkersThatDieAreReplaced(t *testing.T) {
	h := NewHasher(1, 1<<30)
	hash := parsedHash(t, HashPassword("secret"))
	dead := fresh(t, h)
	for range 2 {
		if err := dead.process.Kill(); err != nil {
			t.Fatal(err)
		}
		if matches, err := h.verify(hash, "secret"); err != nil || !matches {
			t.Errorf("after the idle one was killed: %v", err)
		}
		dead = h.popIdle()
		h.pushIdle(dead)
	}
	busy := make(chan error, 1)
	go func() {
		_, err := h.verify(parsedHash(t, costly), "x")
		busy <- err
	}()
	kill := time.NewTicker(50 * time.Millisecond) // it, and those that are started for its question
	defer kill.Stop()
	for range 1200 { // a minute
		select {
		case err := <-busy:
			if !errors.Is(err, ErrDown) {
				t.Errorf("when all were killed: %v", err)
			}
			return
		case <-kill.C:
			killChildren(t)
		}
	}
	t.Error("a question never ends")
}

// A worker that nobody asks for a while ends, and another one answers the next question.
func TestIdleWorkersEnd(t *testing.T) {
	h := NewHasher(1, 1<<30)
	w := fresh(t, h)
	w.expiry.Reset(0)
	deadline := time.Now().Add(20 * time.Second)
	for w.process.Signal(syscall.Signal(0)) == nil { // until it has ended, and was waited for
		if time.Now().After(deadline) {
			t.Fatal("it lives on")
		}
	}
	if matches, err := h.verify(parsedHash(t, HashPassword("x")), "x"); err != nil || !matches {
		t.Error(err)
	}
}

func killChildren(t *testing.T) {
	t.Helper()
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", os.Getpid()))
	for _, file := range files {
		b, _ := os.ReadFile(file)
		for _, child := range strings.Fields(string(b)) {
			var pid int
			if _, err := fmt.Sscan(child, &pid); err != nil {
				t.Fatal(err)
			}
			if process, err := os.FindProcess(pid); err == nil {
				_ = process.Kill()
			}
		}
	}
}

// A worker remembers nothing of the last question, however large, and ends with those who ask.
func TestWorkersAnswerInTurn(t *testing.T) {
	w := fresh(t, NewHasher(1, 1<<30))
	long := strings.Repeat("\xff\x00", maxPassword)
	for _, c := range []struct {
		of, password string
		want         bool
	}{{"a", "a", true}, {"a", "b", false}, {"b", "b", true}, {long, long, true}, {long, long[1:], false}} {
		if got, err := w.verify(parsedHash(t, HashPassword(c.of)), c.password); err != nil || got != c.want {
			t.Errorf("%.5q of %.5q: %t %v", c.password, c.of, got, err)
		}
	}
	for questions, ends := range map[string]bool{"": true, `{"hash":"x"}`: false, "{": false} {
		if err := Work(strings.NewReader(questions), io.Discard); (err == nil) != ends {
			t.Errorf("%q: %v", questions, err)
		}
	}
}
