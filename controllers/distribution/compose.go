package distribution

import (
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/desired"
)

// target is one namespace with its ConfigMap.
type target struct {
	namespace string
	labels    labels.Set
	// cm is the existing ConfigMap, nil if there is none.
	cm *corev1.ConfigMap
}

// composition is the desired ConfigMap of one namespace, with the files of all SigningKeys and TrustedIssuers there.
type composition struct {
	now     time.Time
	data    map[string]string
	records map[string]desired.Record
	// cm is the existing ConfigMap, nil if there is none.
	cm *corev1.ConfigMap
	// found are the existing files.
	found map[string]string
	// was are the records of the existing files.
	was map[string]desired.Record
	// unexpected are the existing files that this controller did not write, sorted.
	unexpected []string
	// leftOut are the files for which there is no room, sorted.
	leftOut []string
	// entombed are the names of tombstones without a projection.
	entombed map[string]bool
	// ended are the names whose trust ends now, because the namespace is no longer selected.
	ended []string
	// frozen is set if the ConfigMap has a key set that cannot be created again.
	frozen bool
	// wake is when a file is to be removed, zero if none is.
	wake time.Time
}

// compose returns the desired ConfigMap of a namespace. Trust ends by a tombstone, never by the removal of a file,
// since verifiers keep the last good file if it disappears.
func compose(now time.Time, at target, projections map[string]desired.Projection) composition {
	c := composition{
		now: now, data: map[string]string{}, records: map[string]desired.Record{}, entombed: map[string]bool{}, cm: at.cm, was: desired.RecordsOf(at.cm),
	}
	if at.cm != nil {
		c.found = at.cm.Data
	}
	for name, p := range projections {
		c.add(name, &p, p.Selects(at.namespace, at.labels))
	}
	var unclaimed []string
	for file, content := range c.found {
		if file == contract.GatewayFile {
			continue
		}
		name, ok := nameOfFile(file)
		if _, claimed := projections[name]; ok && claimed {
			continue
		}
		if strings.HasSuffix(file, contract.JWKSSuffix) {
			unclaimed = append(unclaimed, name)
		}
		if was := c.was[name]; !slices.Contains([]string{was.Digest, was.RevokedDigest, was.CADigest}, desired.Digest(content)) {
			c.unexpected = append(c.unexpected, file)
		}
	}
	slices.Sort(c.unexpected)
	c.entombAll(unclaimed)
	c.fit()
	c.count()
	c.gateway(projections)
	return c
}

// add adds the files of one SigningKey or TrustedIssuer.
func (c *composition) add(name string, p *desired.Projection, selected bool) {
	content, exists := c.found[name+contract.JWKSSuffix]
	was, recorded := c.was[name]
	defer c.detectUnexpectedCA(name)
	switch {
	case p.Frozen:
		c.freeze(name, p, selected)
		return
	case selected:
		c.addFiles(name, p, desired.Record{Generation: p.Generation, Foreign: p.Foreign})
	case exists && issuerfiles.TrustsNobody(content):
		was.Generation = min(was.Generation, p.Generation)
		c.set(name, desired.Files{KeySet: content, Revoked: p.Files.Revoked})
		c.records[name] = c.takenAway(was)
		return
	case exists:
		c.keep(name, p, was)
	default:
		return
	}
	// The tombstone of a deleted SigningKey has its generation until it is entombed. A SigningKey of the same name may be
	// created before that.
	later := was.Generation > p.Generation && !issuerfiles.TrustsNobody(content)
	if exists && content != c.data[name+contract.JWKSSuffix] && (!recorded || later || was.Digest != desired.Digest(content)) {
		c.unexpected = append(c.unexpected, name+contract.JWKSSuffix)
	}
}

// freeze keeps the existing key set, without revoked keys, and adds these to the existing revocation list. The list in
// the key namespace is always written, since issuers whose Secret cannot be written read it. The CA of the controller
// stays.
func (c *composition) freeze(name string, p *desired.Projection, selected bool) {
	was, recorded := c.was[name]
	content, exists := c.found[name+contract.JWKSSuffix]
	if exists {
		c.frozen = true
		clean, _ := issuerfiles.Without([]byte(content), p.Revoked)
		c.data[name+contract.JWKSSuffix] = string(clean)
		c.setCA(name, desired.CAIn(c.found, was, name))
	}
	list, listed := c.found[name+contract.RevokedSuffix]
	if p.Files.Revoked != "" && (exists || selected) {
		list, listed = string(desired.RevokedIn(c.found, was, name).Union(p.List).Encode()), true
	}
	if listed {
		c.data[name+contract.RevokedSuffix] = list
	}
	if recorded || exists || listed {
		c.records[name] = was
	}
}

func (c *composition) wakeAt(at time.Time) {
	if c.wake.IsZero() || at.Before(c.wake) {
		c.wake = at
	}
}

// count updates the counters and digests in the records.
func (c *composition) count() {
	for name, r := range c.records {
		before := c.was[name]
		content, exists := c.found[name+contract.JWKSSuffix]
		next, has := c.data[name+contract.JWKSSuffix]
		r.Writes, r.Digest, r.RevokedDigest = before.Writes, desired.Digest(next), desired.Digest(c.data[name+contract.RevokedSuffix])
		r.CADigest = ""
		if ca, has := c.data[name+contract.CASuffix]; has {
			r.CADigest = desired.Digest(ca)
		}
		if r.Writes < 0 || r.Writes > desired.MaxWrites {
			r.Writes = 0 // another client wrote that
		}
		if has && (!exists || content != next) {
			r.Writes++
		}
		if exists && desired.Digest(content) != before.Digest {
			r.Writes++ // the write of another client
		}
		c.records[name] = r
	}
}

// set sets the files of a name. Those of a TrustedIssuer have no revocation list and no CA.
func (c *composition) set(name string, files desired.Files) {
	c.data[name+contract.JWKSSuffix] = files.KeySet
	if files.Revoked != "" {
		c.data[name+contract.RevokedSuffix] = files.Revoked
	}
	if files.KeepCA {
		files.CA = desired.CAIn(c.found, c.was[name], name)
	}
	c.setCA(name, files.CA)
}

// addFiles adds the files of a projection, and its record.
func (c *composition) addFiles(name string, p *desired.Projection, r desired.Record) {
	c.set(name, p.Files)
	if issuerfiles.TrustsNobody(p.Files.KeySet) {
		r.TakenAwayAt = c.was[name].TakenAwayAt
		r = c.takenAway(r)
	}
	c.records[name] = r
}

// keep keeps the files of a deselected namespace up to date, for KeepFor after it was first seen deselected, or as long
// as the keyring is retained. Then it replaces the key set by a tombstone, which stays for pods that still run.
func (c *composition) keep(name string, p *desired.Projection, was desired.Record) {
	if p.Selector == nil {
		c.addFiles(name, p, desired.Record{Generation: p.Generation, Foreign: p.Foreign, DeselectedAt: was.DeselectedAt})
		return
	}
	since := c.now.UTC().Truncate(time.Second)
	if was.DeselectedAt != nil && !was.DeselectedAt.After(c.now) {
		since = *was.DeselectedAt
	}
	r := desired.Record{Generation: p.Generation, Foreign: p.Foreign, DeselectedAt: &since}
	// The recorded time is truncated to a second.
	end := since.Add(p.KeepFor + time.Second)
	if c.now.Before(end) {
		c.addFiles(name, p, r)
		c.wakeAt(end)
		return
	}
	c.ended = append(c.ended, name)
	c.set(name, desired.Files{KeySet: p.Tombstone, Revoked: p.Files.Revoked}) // without a CA, since its pods need no tokens
	c.records[name] = c.takenAway(r)
}

// matches reports whether the existing ConfigMap is equal to the composition.
func (c *composition) matches(cm *corev1.ConfigMap) bool {
	return cm != nil && maps.Equal(cm.Data, c.data) && len(cm.BinaryData) == 0 && len(cm.OwnerReferences) == 0 &&
		len(cm.Finalizers) == 0 && cm.Immutable == nil && cm.Labels[contract.ManagedByLabel] == contract.ManagedBy &&
		maps.EqualFunc(c.was, c.records, desired.Record.Equal)
}

// nameOfFile returns the name of the SigningKey or TrustedIssuer that a file of the ConfigMap belongs to. It is
// unambiguous even if names have dots, since no suffix ends with another one.
func nameOfFile(file string) (string, bool) {
	for _, suffix := range []string{contract.JWKSSuffix, contract.RevokedSuffix, contract.CASuffix} {
		if name, ok := strings.CutSuffix(file, suffix); ok {
			return name, true
		}
	}
	return "", false
}

// unclaimedNames returns the names in the files that have no projection.
func unclaimedNames(cm *corev1.ConfigMap, projections map[string]desired.Projection) []string {
	var names []string
	if cm == nil {
		return nil
	}
	for file := range cm.Data {
		name, ok := nameOfFile(file)
		if _, claimed := projections[name]; ok && !claimed && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// possiblyStale returns the names whose projection may be older than the existing file, or than an earlier one, and is
// to be read again. A controller that was paused while another one was the leader must not write an old projection.
// That is possible if the file has a higher generation or is of the other kind of object, or if its list has a
// revocation that the projection lacks. If the file has no record, or is a tombstone, the projection must have been
// read just now.
func possiblyStale(now time.Time, c composition, projections map[string]desired.Projection) []string {
	const fresh = 5 * time.Second
	var names []string
	for name := range c.records {
		p, claimed := projections[name]
		if p.Frozen || !claimed {
			continue
		}
		r, recorded := c.was[name]
		file := name + contract.JWKSSuffix
		// The object of the projection may have been deleted, and another one may have its name.
		revived := issuerfiles.TrustsNobody(c.found[file]) && !issuerfiles.TrustsNobody(c.data[file])
		if recorded && r.Foreign != p.Foreign || r.Generation > p.Generation || p.Lacks(desired.RevokedIn(c.found, r, name), r.Generation) ||
			((!recorded || revived) && now.Sub(p.Confirmed) > fresh) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
