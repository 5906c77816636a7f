package login

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// niceness gives a worker a twentieth of a core that others want whole (sched(7)), and all of what they leave. With 10 it would
	// be a tenth, which is all that logins may cost the others, and the caches that a hash empties come on top.
	niceness = 13
	// slice is how long a worker may go on when somebody else wants its core, from Linux 6.12 on; else it is some milliseconds.
	slice = 100 * time.Microsecond
)

// lowerPriority makes the kernel prefer others to a thread, and to whatever it starts (sched_setattr(2)). Where that fails,
// the priority stays as it is.
func lowerPriority() {
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Nice: niceness, Runtime: uint64(slice)}, 0)
}
