package signingkey

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/rotation"
)

// gauges are the metrics of each SigningKey as of its last reconciliation. Ages are computed when they are collected.
type gauges struct {
	now func() time.Time
	of  descriptions

	mu     sync.Mutex
	byName map[string]*snapshot
}

// snapshot is the state of one SigningKey.
type snapshot struct {
	keys                []keyState
	conditions          map[string]float64
	targets, inSync     float64
	leftBehind          float64
	next                time.Time
	digest              string
	open, done, unknown float64 // revoked keys
	tokens              map[string]float64

	// generation of the keyring. publishing is since when its keys are being published, zero if every target has them.
	generation int64
	publishing time.Time
}

type keyState struct {
	id    string
	state rotation.State
	since time.Time
}

// descriptions has the descriptions of the gauges.
type descriptions struct {
	keys, keyAge, condition, targets, inSync, leftBehind, rotation, keySet, revocations, tokens *prometheus.Desc
}

func describe() descriptions {
	gauge := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"signingkey"}, labels...), nil)
	}
	return descriptions{
		keys:   gauge("keywright_keys", "Published keys by state.", "state"),
		keyAge: gauge("keywright_key_age_seconds", "How long each published key has been in its state.", "kid", "state"),
		condition: gauge("keywright_signingkey_condition",
			"1 if the condition of the SigningKey is True, otherwise 0.", "condition"),
		targets: gauge("keywright_targets", "Namespaces that the SigningKey selects."),
		inSync:  gauge("keywright_targets_in_sync", "Selected namespaces that hold the current public keys."),
		leftBehind: gauge("keywright_targets_left_behind",
			"Namespaces that rotations no longer wait for, because they lacked a key for longer than rotation.waitForTargets."),
		rotation: gauge("keywright_next_rotation_seconds",
			"Seconds until the next rotation; negative if it is overdue, absent if none is planned."),
		keySet: gauge("keywright_keyset_info",
			"1 for the published key set; digest is the first 64 bits of the SHA-256 of its file, and generation is the generation of the keyring.",
			"digest", "generation"),
		revocations: gauge("keywright_revocations",
			"Revoked keys, by outcome: open while a file has the key or a pod is not nudged yet, done, or unknown if the keyring has no such key.", "outcome"),
		tokens: gauge("keywright_token_revocations",
			"Revocations other than those of keys, by outcome: open while a file does not contain the Revocation yet, listed, or refused if the list is full.", "outcome"),
	}
}

func newGauges(now func() time.Time) *gauges {
	return &gauges{now: now, of: describe(), byName: map[string]*snapshot{}}
}

// note replaces the snapshot of a SigningKey. If the publication of its keys has just completed, it returns how long it
// took.
func (s *gauges) note(p *pass) (took time.Duration, done bool) {
	ring := &p.keyring.Ring
	n := &snapshot{
		conditions: map[string]float64{}, targets: float64(p.targets.selected), inSync: float64(p.targets.inSync),
		leftBehind: float64(len(p.targets.leftBehind)),
		next:       p.nextRotation(), digest: desired.Digest(desired.FilesOf(ring, p.policy, issuerfiles.Revoked{}).KeySet), generation: ring.Generation,
	}
	for i := range ring.Keys {
		if k := &ring.Keys[i]; k.Published() {
			since := map[rotation.State]time.Time{
				rotation.Standby: k.PreparedAt, rotation.Active: k.ActivatedAt, rotation.Retired: k.RetiredAt,
			}[k.State]
			n.keys = append(n.keys, keyState{k.ID, k.State, since})
		}
	}
	n.conditions[keywrightv1alpha1.ConditionStalled] = 0
	for _, c := range p.conditions() {
		n.conditions[c.Type] = 0
		if c.Status == "True" {
			n.conditions[c.Type] = 1
		}
	}
	revoked := slices.Concat(ring.Revoked, p.pending)
	for i := range revoked {
		switch r := &revoked[i]; {
		case !r.Known:
			n.unknown++
		case r.RemovedAt.IsZero() || r.Nudged.At.IsZero():
			n.open++
		default:
			n.done++
		}
	}
	n.tokens = p.tokenOutcomes()
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.byName[p.name]
	s.byName[p.name] = n
	if was != nil {
		n.publishing = was.publishing
		if was.digest != n.digest {
			n.publishing = p.now
		}
	}
	if n.publishing.IsZero() || len(p.targets.behind) > 0 {
		return 0, false
	}
	took, n.publishing = p.now.Sub(n.publishing), time.Time{}
	return max(0, took), true
}

func (s *gauges) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byName, name)
}

// Describe implements prometheus.Collector.
func (s *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		s.of.keys, s.of.keyAge, s.of.condition, s.of.targets, s.of.inSync, s.of.leftBehind, s.of.rotation, s.of.keySet, s.of.revocations,
		s.of.tokens,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (s *gauges) Collect(out chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for name, n := range s.byName {
		gauge := func(d *prometheus.Desc, value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{name}, labels...)...)
		}
		counts := map[rotation.State]int{rotation.Standby: 0, rotation.Active: 0, rotation.Retired: 0}
		for _, k := range n.keys {
			counts[k.state]++
			gauge(s.of.keyAge, now.Sub(k.since).Seconds(), k.id, string(k.state))
		}
		for state, count := range counts {
			gauge(s.of.keys, float64(count), string(state))
		}
		for condition, value := range n.conditions {
			gauge(s.of.condition, value, condition)
		}
		gauge(s.of.targets, n.targets)
		gauge(s.of.inSync, n.inSync)
		gauge(s.of.leftBehind, n.leftBehind)
		if !n.next.IsZero() {
			gauge(s.of.rotation, n.next.Sub(now).Seconds())
		}
		gauge(s.of.keySet, 1, n.digest, strconv.FormatInt(n.generation, 10))
		gauge(s.of.revocations, n.open, "open")
		gauge(s.of.revocations, n.done, "done")
		gauge(s.of.revocations, n.unknown, "unknown")
		for outcome, count := range n.tokens {
			gauge(s.of.tokens, count, outcome)
		}
	}
}
