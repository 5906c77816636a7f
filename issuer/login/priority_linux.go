package login

import "golang.org/x/sys/unix"

// lowerPriority makes the kernel run a thread, and whatever it starts, only when nobody else wants its core (SCHED_IDLE,
// sched(7)). A niceness alone would not do: a request that comes in waits until a slice of a nice thread ends, some milliseconds.
// An error leaves the priority as it is.
func lowerPriority() { _ = unix.SchedSetAttr(0, &unix.SchedAttr{Policy: unix.SCHED_IDLE}, 0) }
