package rotation

import (
	"bytes"
	"errors"
	"slices"
	"time"
)

// The bounds of the CA of an issuer.
const (
	// MaxCASource bounds the certificates of the source.
	MaxCASource = 16
	// MaxCACertificates bounds those of a keyring: what the source has, and what left it.
	MaxCACertificates = 2 * MaxCASource
	// MaxCABytes bounds what a source that is changed again and again puts into a keyring, and so into every file: a Secret has 1 MiB, and a
	// keyring that is too large for it could not be written.
	MaxCABytes = 48 << 10
)

// CACertificate is a certificate that clients trust the issuer's TLS certificate by.
type CACertificate struct {
	// DER is the certificate (RFC 5280).
	DER []byte `json:"der"`
	// LeftAt is when the source was first seen without it, zero while the source has it.
	LeftAt time.Time `json:"leftAt,omitzero"`
}

// CASource is what was read of the source of the issuer's CA.
type CASource struct {
	// Known is set when it could be read and used. Otherwise what is recorded stays as it is.
	Known bool
	// Certificates are DER, at most MaxCASource, each once. There are none if the SigningKey names no source.
	Certificates [][]byte
}

// has reports whether the source is known to hold a certificate.
func (s CASource) has(der []byte) bool {
	return s.Known && slices.ContainsFunc(s.Certificates, func(c []byte) bool { return bytes.Equal(c, der) })
}

// CARemovalTime is when a certificate leaves the files that left the source at a time. An issuer whose files lag presents the one that it vouches
// for until a propagation delay later, and the clock of whoever noted LeftAt may have been behind.
func (p Policy) CARemovalTime(left time.Time) time.Time {
	return left.Add(p.PropagationDelay + p.ClockSkew)
}

// trustCA brings the certificates that clients trust the issuer by to what their source has. One that left it stays for a while. They are
// what nobody needs any more when the SigningKey has ended.
func (p *planner) trustCA() {
	if p.policy.Ending() && len(p.ring.PublishedIDs()) == 0 {
		p.out.CAChanged = len(p.ring.CA) > 0 || p.ring.CAUnknown
		p.ring.CA, p.ring.CAUnknown = nil, false
		return
	}
	source := p.observed.CA
	kept := slices.DeleteFunc(slices.Clone(p.ring.CA), func(c CACertificate) bool {
		return !c.LeftAt.IsZero() && !source.has(c.DER) && !p.at.Before(p.policy.CARemovalTime(c.LeftAt))
	})
	p.out.CAChanged = len(kept) < len(p.ring.CA)
	if source.Known {
		kept = p.takeUpCA(kept)
	}
	if p.ring.CA = kept; len(kept) == 0 {
		p.ring.CA = nil
	}
	for i := range kept {
		if left := kept[i].LeftAt; !left.IsZero() {
			p.wakeAt(p.policy.CARemovalTime(left))
		}
	}
}

// takeUpCA adds what the source has, and notes what left it. A source that is changed again and again waits until there is room.
func (p *planner) takeUpCA(kept []CACertificate) []CACertificate {
	var added []CACertificate
	for _, der := range p.observed.CA.Certificates {
		if !slices.ContainsFunc(kept, func(c CACertificate) bool { return bytes.Equal(c.DER, der) }) {
			added = append(added, CACertificate{DER: der})
		}
	}
	if len(kept)+len(added) > MaxCACertificates || len(added) > 0 && bytesOf(kept)+bytesOf(added) > MaxCABytes {
		p.out.CAFull = true
		return kept
	}
	for i := range kept {
		c := &kept[i]
		switch has := p.observed.CA.has(c.DER); {
		case has:
			c.LeftAt = time.Time{}
		case c.LeftAt.IsZero():
			c.LeftAt = p.now
		}
	}
	p.out.CAChanged = p.out.CAChanged || len(added) > 0 || p.ring.CAUnknown
	p.ring.CAUnknown = false
	all := append(kept, added...)
	slices.SortFunc(all, func(a, b CACertificate) int { return bytes.Compare(a.DER, b.DER) })
	return all
}

func bytesOf(all []CACertificate) (n int) {
	for i := range all {
		n += len(all[i].DER)
	}
	return n
}

// CACertificates returns the certificates that belong into the files, DER, sorted.
func (r *Keyring) CACertificates() [][]byte {
	all := make([][]byte, len(r.CA))
	for i := range r.CA {
		all[i] = r.CA[i].DER
	}
	return all
}

// checkCA refuses what no Plan can have made.
func checkCA(all []CACertificate) error {
	for i := range all {
		if len(all[i].DER) == 0 || i > 0 && bytes.Compare(all[i-1].DER, all[i].DER) >= 0 {
			return errors.New("keyring has CA certificates that are empty, or not sorted")
		}
	}
	if len(all) > MaxCACertificates {
		return errors.New("keyring has too many CA certificates")
	}
	return nil
}

func equalCA(a, b CACertificate) bool { return bytes.Equal(a.DER, b.DER) && a.LeftAt.Equal(b.LeftAt) }
