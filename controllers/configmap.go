package controllers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/keywright/keywright/api/contract"
)

// record is what contract.ProjectionsAnnotation says of one file of a ConfigMap.
type record struct {
	// Generation of the keyring that the file was made from.
	Generation int64 `json:"generation"`
	// DeselectedAt is since when the namespace is no longer selected.
	DeselectedAt *time.Time `json:"deselectedAt,omitempty"`
	// Writes counts the versions of the file that the controller knows of: its own, and those of others that it replaced. A
	// watcher for whom it jumps has missed some.
	Writes int64 `json:"writes"`
	// Digest of the file as the controller wrote it: the first 64 bits of its SHA-256.
	Digest string `json:"digest"`
}

// maxWrites is more than any file sees.
const maxWrites = 1 << 40

func digestOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:8])
}

// recordsOf reads the annotation of a ConfigMap, nothing if somebody made it unreadable.
func recordsOf(cm *corev1.ConfigMap) map[string]record {
	records := map[string]record{}
	if cm == nil || json.Unmarshal([]byte(cm.Annotations[contract.ProjectionsAnnotation]), &records) != nil {
		return map[string]record{}
	}
	return records
}

// composition is what the ConfigMap of one namespace must hold: the union of all SigningKeys that have a file there.
type composition struct {
	data    map[string]string
	records map[string]record
	// was are the records of what stands there.
	was map[string]record
	// planted are the files that stand there and that this controller did not write, sorted.
	planted []string
	// leftOut are the files for which there is no room, sorted.
	leftOut []string
	// wake is when a file is to be taken away, zero for never.
	wake time.Time
}

// compose decides what the ConfigMap of a namespace with the given labels must hold. cm is what stands there, or nil. A
// file that no projection answers for is left out.
func compose(now time.Time, namespace labels.Set, cm *corev1.ConfigMap, projections map[string]projection) composition {
	was := recordsOf(cm)
	c := composition{data: map[string]string{}, records: map[string]record{}, was: was}
	var standing map[string]string
	if cm != nil {
		standing = cm.Data
	}
	for name, p := range projections {
		file := name + contract.JWKSSuffix
		content, stands := standing[file]
		switch {
		case p.gone:
		case p.frozen && stands:
			clean, _ := without([]byte(content), p.revoked)
			c.data[file] = string(clean)
			if r, ok := was[name]; ok {
				c.records[name] = r
			}
		case p.frozen:
		case p.selector != nil && p.selector.Matches(namespace):
			c.put(name, p, record{Generation: p.generation})
		case stands:
			c.keep(now, name, p, was[name])
		}
		if r, ok := was[name]; stands && !p.gone && !p.frozen && content != p.jwks && (!ok || r.Generation >= p.generation) {
			c.planted = append(c.planted, file)
		}
	}
	for file := range standing {
		name, ok := strings.CutSuffix(file, contract.JWKSSuffix)
		if _, answered := projections[name]; !ok || !answered {
			c.planted = append(c.planted, file)
		}
	}
	slices.Sort(c.planted)
	c.fit(standing)
	c.count(standing)
	return c
}

// mostBytes is how many bytes of files a ConfigMap may hold: 1 MiB, less what names and records take up.
const mostBytes = 1<<20 - 64<<10

// fit leaves out files that do not stand yet until the others have room, so that one SigningKey too many takes nothing from those
// that are in use. What stands was let in by the API server.
func (c *composition) fit(standing map[string]string) {
	total := 0
	for _, content := range c.data {
		total += len(content)
	}
	for _, file := range slices.Backward(slices.Sorted(maps.Keys(c.data))) {
		if _, stands := standing[file]; stands || total <= mostBytes {
			continue
		}
		total -= len(c.data[file])
		delete(c.data, file)
		delete(c.records, strings.TrimSuffix(file, contract.JWKSSuffix))
		c.leftOut = append(c.leftOut, file)
	}
	slices.Sort(c.leftOut)
}

// count brings the counters of the files that change up to date.
func (c *composition) count(standing map[string]string) {
	for name, r := range c.records {
		before := c.was[name]
		content, stands := standing[name+contract.JWKSSuffix]
		next := c.data[name+contract.JWKSSuffix]
		r.Writes, r.Digest = before.Writes, digestOf(next)
		if r.Writes < 0 || r.Writes > maxWrites {
			r.Writes = 0 // somebody else wrote that
		}
		if !stands || content != next {
			r.Writes++
		}
		if stands && digestOf(content) != before.Digest {
			r.Writes++ // of somebody else
		}
		c.records[name] = r
	}
}

func (c *composition) put(name string, p projection, r record) {
	c.data[name+contract.JWKSSuffix] = p.jwks
	c.records[name] = r
}

// keep keeps the file of a namespace that is not selected up to date: for keepFor after it was seen to be deselected, or
// for as long as the keyring is retained.
func (c *composition) keep(now time.Time, name string, p projection, was record) {
	if p.selector == nil {
		c.put(name, p, record{Generation: p.generation, DeselectedAt: was.DeselectedAt})
		return
	}
	since := now.UTC().Truncate(time.Second)
	if was.DeselectedAt != nil && !was.DeselectedAt.After(now) {
		since = *was.DeselectedAt
	}
	// The recorded second began up to a second before the deselection was seen.
	end := since.Add(p.keepFor + time.Second)
	if !now.Before(end) {
		return
	}
	c.put(name, p, record{Generation: p.generation, DeselectedAt: &since})
	if c.wake.IsZero() || end.Before(c.wake) {
		c.wake = end
	}
}

// annotation encodes the records. Equal records are equal bytes.
func (c *composition) annotation() (string, error) {
	b, err := json.Marshal(c.records)
	return string(b), err
}

// stands tells whether cm, from which it was composed, is what the composition asks for.
func (c *composition) stands(cm *corev1.ConfigMap) bool {
	return cm != nil && maps.Equal(cm.Data, c.data) && len(cm.BinaryData) == 0 && len(cm.OwnerReferences) == 0 &&
		len(cm.Finalizers) == 0 && cm.Immutable == nil && cm.Labels[contract.ManagedByLabel] == contract.ManagedBy &&
		maps.EqualFunc(c.was, c.records, sameRecord)
}

func sameRecord(a, b record) bool {
	if a.Generation != b.Generation || a.Writes != b.Writes || a.Digest != b.Digest || (a.DeselectedAt == nil) != (b.DeselectedAt == nil) {
		return false
	}
	return a.DeselectedAt == nil || a.DeselectedAt.Equal(*b.DeselectedAt)
}

// unanswered returns the names of the files that no projection answers for.
func unanswered(cm *corev1.ConfigMap, projections map[string]projection) []string {
	var names []string
	if cm == nil {
		return nil
	}
	for file := range cm.Data {
		name, ok := strings.CutSuffix(file, contract.JWKSSuffix)
		if _, answered := projections[name]; ok && !answered {
			names = append(names, name)
		}
	}
	return names
}

// doubtful returns the names whose projection may be older than the file that stands, or than one that stood: the file
// bears a higher generation, or none while the keyring was not read for a while. A controller that was paused while
// another one led must not write what it remembers.
func doubtful(now time.Time, c composition, projections map[string]projection) []string {
	const fresh = 5 * time.Second
	var names []string
	for name := range c.records {
		p := projections[name]
		if p.frozen {
			continue
		}
		r, recorded := c.was[name]
		if r.Generation > p.generation || (!recorded && now.Sub(p.confirmed) > fresh) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
