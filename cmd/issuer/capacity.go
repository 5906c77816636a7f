package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/keywright/keywright/issuer/login"
)

// capacity returns how many passwords can be hashed at a time, and the memory for them: half the limit, in bytes. It sets the other half as
// the memory limit of this process, near which garbage is collected more often.
func capacity() (slots int, memory int64) {
	limit := memoryLimit()
	slots, memory = login.Slots(runtime.GOMAXPROCS(0), limit)
	if limit > 0 {
		debug.SetMemoryLimit(limit / 2)
	}
	return slots, memory
}

// memoryLimit returns the limit of GOMEMLIMIT or of the container (cgroup v2), in bytes, 0 for none.
func memoryLimit() int64 {
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		return limit
	}
	text, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err != nil {
		return 0
	}
	limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil { // "max"
		return 0
	}
	return limit
}
