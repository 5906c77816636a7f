package rotation

import (
	"bytes"
	"errors"
	"slices"
	"time"
)

// The limits of the CA certificates.
const (
	// MaxCASource is the maximum number of certificates in the source.
	MaxCASource = 16
	// MaxCACertificates is the maximum number in a keyring, including those that have left the source.
	MaxCACertificates = 2 * MaxCASource
	// MaxCABytes limits the certificates in a keyring and in every file, even if the source changes often. A Secret
	// holds at most 1 MiB.
	MaxCABytes = 48 << 10
)

// CACertificate is a certificate with which clients verify the issuer's TLS certificate.
type CACertificate struct {
	// DER is the certificate (RFC 5280).
	DER []byte `json:"der"`
	// LeftAt is when the source was first observed without the certificate, or zero.
	LeftAt time.Time `json:"leftAt,omitzero"`
}

// CASource is the observed source of the issuer's CA.
type CASource struct {
	// Known is true if the source could be read and is valid. Otherwise the recorded certificates do not change.
	Known bool
	// Certificates are in DER, at most MaxCASource, without duplicates. It is empty if the SigningKey has no source.
	Certificates [][]byte
}

// has reports whether the source contains a certificate.
func (s CASource) has(der []byte) bool {
	return s.Known && slices.ContainsFunc(s.Certificates, func(c []byte) bool { return bytes.Equal(c, der) })
}

// CARemovalTime returns when a certificate that left the source leaves the files. An issuer whose files lag uses it
// for another propagation delay, and the clock that recorded LeftAt may have been behind.
func (p Policy) CARemovalTime(left time.Time) time.Time {
	return left.Add(p.PropagationDelay + p.ClockSkew)
}

// updateCA updates the CA certificates from their source. Removed ones are kept for a while. All are dropped when the
// SigningKey has ended.
func (p *planner) updateCA() {
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
		kept = p.mergeCA(kept)
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

// mergeCA adds the certificates of the source, and records which have left it. If there is no room, it waits.
func (p *planner) mergeCA(kept []CACertificate) []CACertificate {
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

// CACertificates returns the certificates for the files, DER, sorted.
func (r *Keyring) CACertificates() [][]byte {
	all := make([][]byte, len(r.CA))
	for i := range r.CA {
		all[i] = r.CA[i].DER
	}
	return all
}

// checkCA rejects certificates that Plan cannot have recorded.
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
