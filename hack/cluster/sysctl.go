package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
)

// sysctls are those of the whole host that a kubelet sets.
func sysctls() []string {
	return []string{
		"/proc/sys/vm/overcommit_memory", "/proc/sys/vm/panic_on_oom", "/proc/sys/kernel/panic", "/proc/sys/kernel/panic_on_oops",
		"/proc/sys/kernel/keys/root_maxkeys", "/proc/sys/kernel/keys/root_maxbytes",
	}
}

func (c *cluster) saveSysctls() error {
	before := map[string]string{}
	for _, name := range sysctls() {
		if b, err := os.ReadFile(name); err == nil {
			before[name] = string(b)
		}
	}
	b, err := json.Marshal(before)
	if err != nil {
		return err
	}
	return os.WriteFile(c.path("sysctls.json"), b, 0o600)
}

func (c *cluster) restoreSysctls() error {
	b, err := os.ReadFile(c.path("sysctls.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	var before map[string]string
	if err := json.Unmarshal(b, &before); err != nil {
		return err
	}
	var problems []error
	for name, value := range before {
		if now, err := os.ReadFile(name); err == nil && string(now) == value {
			continue
		}
		problems = append(problems, os.WriteFile(name, []byte(value), 0o644))
	}
	return errors.Join(problems...)
}
