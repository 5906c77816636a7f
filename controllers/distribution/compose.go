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

// place is one namespace with what stands there.
type place struct {
	namespace string
	labels    labels.Set
	// cm is the ConfigMap that stands, nil if there is none.
	cm *corev1.ConfigMap
}

// composition is what the ConfigMap of one namespace must hold: the union of all SigningKeys and TrustedIssuers that have files there.
type composition struct {
	now     time.Time
	data    map[string]string
	records map[string]desired.Record
	// cm is what stands there, nil if nothing does.
	cm *corev1.ConfigMap
	// found are the files that stand there.
	found map[string]string
	// was are the records of them.
	was map[string]desired.Record
	// unexpected are the files that stand there and that this controller did not write, sorted.
	unexpected []string
	// leftOut are the files for which there is no room, sorted.
	leftOut []string
	// entombed are the names of tombstones that nobody answers for.
	entombed map[string]bool
	// ended are the names whose trust ends here now, because the namespace is no longer selected.
	ended []string
	// frozen is set if a key set stands there that nothing else can make again.
	frozen bool
	// wake is when a file is to be taken away, zero for never.
	wake time.Time
}

// compose decides what the ConfigMap of a namespace must hold. Trust is taken away by a tombstone, never by an absence: verifiers
// keep the last good file when one vanishes.
func compose(now time.Time, at place, projections map[string]desired.Projection) composition {
	c := composition{
		now: now, data: map[string]string{}, records: map[string]desired.Record{}, entombed: map[string]bool{}, cm: at.cm, was: desired.RecordsOf(at.cm),
	}
	if at.cm != nil {
		c.found = at.cm.Data
	}
	for name, p := range projections {
		c.add(name, &p, p.Selects(at.namespace, at.labels))
	}
	var unanswered []string
	for file, content := range c.found {
		if file == contract.GatewayFile {
			continue
		}
		name, ok := nameOfFile(file)
		if _, answered := projections[name]; ok && answered {
			continue
		}
		if strings.HasSuffix(file, contract.JWKSSuffix) {
			unanswered = append(unanswered, name)
		}
		if was := c.was[name]; !slices.Contains([]string{was.Digest, was.RevokedDigest, was.CADigest}, desired.Digest(content)) {
			c.unexpected = append(c.unexpected, file)
		}
	}
	slices.Sort(c.unexpected)
	c.entombAll(unanswered)
	c.fit()
	c.count()
	c.gateway(projections)
	return c
}

// add decides about the files of one SigningKey or TrustedIssuer.
func (c *composition) add(name string, p *desired.Projection, selected bool) {
	content, stands := c.found[name+contract.JWKSSuffix]
	was, recorded := c.was[name]
	defer c.lookForPlantedCA(name)
	switch {
	case p.Frozen:
		c.freeze(name, p, selected)
		return
	case selected:
		c.put(name, p, desired.Record{Generation: p.Generation, Foreign: p.Foreign})
	case stands && issuerfiles.TrustsNobody(content):
		was.Generation = min(was.Generation, p.Generation)
		c.set(name, desired.Files{KeySet: content, Revoked: p.Files.Revoked})
		c.records[name] = c.takenAway(was)
		return
	case stands:
		c.keep(name, p, was)
	default:
		return
	}
	// The tombstone of a SigningKey that is gone has its generation until it is entombed: one of the same name may be made before that.
	later := was.Generation > p.Generation && !issuerfiles.TrustsNobody(content)
	if stands && content != c.data[name+contract.JWKSSuffix] && (!recorded || later || was.Digest != desired.Digest(content)) {
		c.unexpected = append(c.unexpected, name+contract.JWKSSuffix)
	}
}

// freeze keeps a key set as it stands, but for what is revoked, which is named in the key namespace in any case: issuers whose
// Secret cannot be written learn it there. What the list named before stays in it. So does the CA that the controller wrote.
func (c *composition) freeze(name string, p *desired.Projection, selected bool) {
	was, recorded := c.was[name]
	content, stands := c.found[name+contract.JWKSSuffix]
	if stands {
		c.frozen = true
		clean, _ := issuerfiles.Without([]byte(content), p.Revoked)
		c.data[name+contract.JWKSSuffix] = string(clean)
		c.setCA(name, desired.CAIn(c.found, was, name))
	}
	list, listed := c.found[name+contract.RevokedSuffix]
	if p.Files.Revoked != "" && (stands || selected) {
		list, listed = string(desired.RevokedIn(c.found, was, name).Union(p.List).Encode()), true
	}
	if listed {
		c.data[name+contract.RevokedSuffix] = list
	}
	if recorded || stands || listed {
		c.records[name] = was
	}
}

func (c *composition) wakeAt(at time.Time) {
	if c.wake.IsZero() || at.Before(c.wake) {
		c.wake = at
	}
}

// mostBytes is how many bytes of files a ConfigMap may hold: 1 MiB, less what names and records take up.
const mostBytes = 1<<20 - 64<<10

// fit leaves out files that do not stand yet until the others have room, so that one too many takes nothing from those
// that are in use. What stands was let in by the API server.
func (c *composition) fit() {
	total := 0
	for _, content := range c.data {
		total += len(content)
	}
	names := slices.Sorted(maps.Keys(c.records))
	for _, name := range slices.Backward(names) {
		if total > mostBytes {
			total -= c.fitCA(name)
		}
	}
	for _, name := range slices.Backward(names) {
		keySet, list, ca := name+contract.JWKSSuffix, name+contract.RevokedSuffix, name+contract.CASuffix
		if _, stands := c.found[keySet]; total <= mostBytes || stands && !c.entombed[name] {
			continue
		}
		total -= len(c.data[keySet]) + len(c.data[list]) + len(c.data[ca])
		delete(c.data, keySet)
		delete(c.data, list)
		delete(c.data, ca)
		delete(c.records, name)
		c.leftOut = append(c.leftOut, keySet)
	}
	slices.Sort(c.leftOut)
}

// count brings the counters of the files that change up to date.
func (c *composition) count() {
	for name, r := range c.records {
		before := c.was[name]
		content, stands := c.found[name+contract.JWKSSuffix]
		next, has := c.data[name+contract.JWKSSuffix]
		r.Writes, r.Digest, r.RevokedDigest = before.Writes, desired.Digest(next), desired.Digest(c.data[name+contract.RevokedSuffix])
		r.CADigest = ""
		if ca, has := c.data[name+contract.CASuffix]; has {
			r.CADigest = desired.Digest(ca)
		}
		if r.Writes < 0 || r.Writes > desired.MaxWrites {
			r.Writes = 0 // somebody else wrote that
		}
		if has && (!stands || content != next) {
			r.Writes++
		}
		if stands && desired.Digest(content) != before.Digest {
			r.Writes++ // of somebody else
		}
		c.records[name] = r
	}
}

// set sets the files of a name. A TrustedIssuer has no revocation list and no CA.
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

func (c *composition) put(name string, p *desired.Projection, r desired.Record) {
	c.set(name, p.Files)
	if issuerfiles.TrustsNobody(p.Files.KeySet) {
		r.TakenAwayAt = c.was[name].TakenAwayAt
		r = c.takenAway(r)
	}
	c.records[name] = r
}

// keep keeps the files of a namespace that is not selected up to date: for keepFor after it was seen to be deselected, or for as
// long as the keyring is retained. Then the key set becomes a tombstone, and stays, so that pods that still run hear of it.
func (c *composition) keep(name string, p *desired.Projection, was desired.Record) {
	if p.Selector == nil {
		c.put(name, p, desired.Record{Generation: p.Generation, Foreign: p.Foreign, DeselectedAt: was.DeselectedAt})
		return
	}
	since := c.now.UTC().Truncate(time.Second)
	if was.DeselectedAt != nil && !was.DeselectedAt.After(c.now) {
		since = *was.DeselectedAt
	}
	r := desired.Record{Generation: p.Generation, Foreign: p.Foreign, DeselectedAt: &since}
	// The recorded second began up to a second before the deselection was seen.
	end := since.Add(p.KeepFor + time.Second)
	if c.now.Before(end) {
		c.put(name, p, r)
		c.wakeAt(end)
		return
	}
	c.ended = append(c.ended, name)
	c.set(name, desired.Files{KeySet: p.Tombstone, Revoked: p.Files.Revoked}) // its pods have nothing to ask the issuer for
	c.records[name] = c.takenAway(r)
}

// stands reports whether cm, from which it was composed, is what the composition asks for.
func (c *composition) stands(cm *corev1.ConfigMap) bool {
	return cm != nil && maps.Equal(cm.Data, c.data) && len(cm.BinaryData) == 0 && len(cm.OwnerReferences) == 0 &&
		len(cm.Finalizers) == 0 && cm.Immutable == nil && cm.Labels[contract.ManagedByLabel] == contract.ManagedBy &&
		maps.EqualFunc(c.was, c.records, desired.Record.Equal)
}

// nameOfFile returns the name of the SigningKey or TrustedIssuer that a file of the ConfigMap belongs to. None of the suffixes ends with another
// one, so that a file belongs to one name, whatever dots that has.
func nameOfFile(file string) (string, bool) {
	for _, suffix := range []string{contract.JWKSSuffix, contract.RevokedSuffix, contract.CASuffix} {
		if name, ok := strings.CutSuffix(file, suffix); ok {
			return name, true
		}
	}
	return "", false
}

// unanswered returns the names of the files that no projection answers for.
func unanswered(cm *corev1.ConfigMap, projections map[string]desired.Projection) []string {
	var names []string
	if cm == nil {
		return nil
	}
	for file := range cm.Data {
		name, ok := nameOfFile(file)
		if _, answered := projections[name]; ok && !answered && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// doubtful returns the names whose projection may be older than the file that stands, or than one that stood, and is to be read again. A controller
// that was paused while another one led must not write what it remembers. It is doubtful if the file is of a higher generation or of the other kind of
// object, or if its list names a revocation that the projection does not know, as with a keyring that cannot be written. If the file has no record, or
// if trust was taken away there, only a projection that was read a moment ago is not.
func doubtful(now time.Time, c composition, projections map[string]desired.Projection) []string {
	const fresh = 5 * time.Second
	var names []string
	for name := range c.records {
		p, answered := projections[name]
		if p.Frozen || !answered {
			continue
		}
		r, recorded := c.was[name]
		file := name + contract.JWKSSuffix
		// The object that is remembered may be gone, and another one have its name.
		revived := issuerfiles.TrustsNobody(c.found[file]) && !issuerfiles.TrustsNobody(c.data[file])
		if recorded && r.Foreign != p.Foreign || r.Generation > p.Generation || p.Lacks(desired.RevokedIn(c.found, r, name), r.Generation) ||
			((!recorded || revived) && now.Sub(p.Confirmed) > fresh) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
