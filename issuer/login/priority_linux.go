package login

import "syscall"

// lowerPriority makes the kernel prefer every other thread to this one (setpriority(2) works on threads on Linux).
func lowerPriority() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 10) }
