package main

import "syscall"

// dieWithParent has the kernel kill a process when the demo ends without having stopped it. Signals of the terminal do not
// reach it: the demo decides what stops when.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
