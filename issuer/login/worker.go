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

// WorkerCommand is the argument that makes the binary run as a worker.
const WorkerCommand = "hash-worker"

// workerIdleTimeout is how long a worker runs without a request.
const workerIdleTimeout = time.Minute

// worker is a process that hashes one password at a time, with no keys or users in its memory. A thread of low
// priority is not enough, because argon2 starts goroutines on other threads.
type worker struct {
	process   *os.Process
	stdin     io.Closer
	stdout    *os.File
	questions *json.Encoder
	answers   *json.Decoder
	// expiry terminates the worker after the idle timeout.
	expiry *time.Timer
}

// workerRequest asks whether a candidate matches a hash. The response is true or false.
type workerRequest struct {
	Hash      string `json:"hash"`
	Candidate []byte `json:"candidate"`
}

// startWorker starts the current binary at a low priority. The worker terminates when it is closed, and when this
// process terminates.
func startWorker() (*worker, error) {
	if len(os.Args) == 2 && os.Args[1] == WorkerCommand {
		return nil, errors.New("a worker cannot start a worker")
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
		// The goroutine does not unlock the thread, so the thread ends with it. The process inherits its priority.
		runtime.LockOSThread()
		lowerPriority()
		started <- cmd.Start()
	}()
	if err := <-started; err != nil {
		_ = stdout.Close()
		return nil, err
	}
	go func() { _ = cmd.Wait() }() // avoids a zombie process
	return &worker{
		process: cmd.Process, stdin: stdin, stdout: stdout, questions: json.NewEncoder(stdin), answers: json.NewDecoder(stdout),
	}, nil
}

func (w *worker) verify(hash Hash, password string) (matches bool, err error) {
	if err = w.questions.Encode(workerRequest{hash.String(), []byte(password)}); err == nil {
		err = w.answers.Decode(&matches)
	}
	return matches, err
}

func (w *worker) close() {
	_ = w.stdin.Close()
	_ = w.stdout.Close()
}

// Work runs a worker: it responds to requests until its input ends.
func Work(in io.Reader, out io.Writer) error {
	questions, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var q workerRequest
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
		releaseMemory(hash)
	}
}

// releaseMemory runs the garbage collector after a hash, and returns the memory to the system if the next hash is
// likely to need less.
func releaseMemory(hash Hash) {
	if hash.memory > defaultHash().memory {
		debug.FreeOSMemory()
		return
	}
	runtime.GC()
}
