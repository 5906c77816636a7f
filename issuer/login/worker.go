package login

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"time"
)

// WorkerCommand is the argument with which a binary becomes a worker.
const WorkerCommand = "hash-worker"

// idleFor is how long a worker lives without a question.
const idleFor = time.Minute

// worker is a process that hashes one password at a time. A thread of low priority would not do: argon2 starts goroutines,
// which run on any thread. It has no key and no user in its memory.
type worker struct {
	process   *os.Process
	stdin     io.Closer
	stdout    *os.File
	questions *json.Encoder
	answers   *json.Decoder
	// expiry closes it when it was idle for long.
	expiry *time.Timer
}

// question is whether a candidate is the hashed password. The answer is true or false.
type question struct {
	Hash      string `json:"hash"`
	Candidate []byte `json:"candidate"`
}

// startWorker starts this binary again, at a low priority. It ends when it is closed, and when this process ends.
func startWorker() (*worker, error) {
	if len(os.Args) == 2 && os.Args[1] == WorkerCommand {
		return nil, errors.New("a worker starts no worker")
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	stdout, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = theirs.Close() }()
	cmd := &exec.Cmd{Path: self, Args: []string{self, WorkerCommand}, Env: []string{"GOMAXPROCS=1", "GOGC=off"}, Stdout: theirs}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	started := make(chan error, 1)
	go func() {
		// The goroutine ends without unlocking, and its thread with it. The process inherits its priority.
		runtime.LockOSThread()
		lowerPriority()
		started <- cmd.Start()
	}()
	if err := <-started; err != nil {
		_ = stdout.Close()
		return nil, err
	}
	go func() { _ = cmd.Wait() }() // else it stays as a zombie
	return &worker{
		process: cmd.Process, stdin: stdin, stdout: stdout, questions: json.NewEncoder(stdin), answers: json.NewDecoder(stdout),
	}, nil
}

func (w *worker) ask(hash Hash, password string) (matches bool, err error) {
	if err = w.questions.Encode(question{hash.String(), []byte(password)}); err == nil {
		err = w.answers.Decode(&matches)
	}
	return matches, err
}

func (w *worker) close() {
	_ = w.stdin.Close()
	_ = w.stdout.Close()
}

// Work is what a worker does: it answers questions until there are no more.
func Work(in io.Reader, out io.Writer) error {
	questions, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var q question
		if err := questions.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		hash, err := ParseHash(q.Hash)
		if err != nil {
			return err
		}
		if err := answers.Encode(hash.matches(string(q.Candidate))); err != nil {
			return err
		}
		collect(hash)
	}
}

// collect frees the memory of a hash, which nobody else does here, for the next one, or for the system if the next is
// likely to need less.
func collect(hash Hash) {
	if hash.memory > standard().memory {
		debug.FreeOSMemory()
		return
	}
	runtime.GC()
}
