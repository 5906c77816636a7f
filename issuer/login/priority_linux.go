package login

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// niceness gives a worker a twentieth of a contended core (sched(7)), and all of an idle one. A niceness of 10
	// would give a tenth, which is the whole budget of logins, without the effect of hashing on CPU caches.
	niceness = 13
	// slice is the time slice of a worker on a contended core, from Linux 6.12 on. Earlier kernels use some
	// milliseconds.
	slice = 100 * time.Microsecond
)

// lowerPriority lowers the priority of the current thread and its children (sched_setattr(2)). If that fails, the
// priority does not change.
func lowerPriority() {
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Nice: niceness, Runtime: uint64(slice)}, 0)
}
