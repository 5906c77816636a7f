package login

import "time"

// Patient has logins wait for their turn for as long as it takes, on however busy a machine. ErrBusy is then a mistake.
func (h *Hasher) Patient() *Hasher {
	h.wait = time.Hour
	return h
}
