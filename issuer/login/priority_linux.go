package login

import "syscall"

// niceness gives a thread a seventieth of a core that others want whole (sched(7)), and all of what they leave. With 10 it
// would be a tenth, which is all that logins may cost the others, and the caches that a hash empties come on top.
const niceness = 19

// lowerPriority makes the kernel prefer every other thread to this one (setpriority(2) works on threads on Linux).
func lowerPriority() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, niceness) }
