package controllers

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/keywright/keywright/controllers/rotation"
)

// Metrics are what Prometheus can read of the SigningKeys. No label holds more than a name, a state or a reason.
type Metrics struct {
	moves        *prometheus.CounterVec
	keys         *prometheus.GaugeVec
	conditions   *prometheus.GaugeVec
	targets      *prometheus.GaugeVec
	inSync       *prometheus.GaugeVec
	nextRotation *prometheus.GaugeVec
	writes       *prometheus.CounterVec
	planted      prometheus.Counter
	nudges       *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		moves: counter("keywright_key_moves_total",
			"Moves of keys between their states, by the reason of the move.", "signingkey", "move", "reason"),
		keys: gauge("keywright_keys", "Published keys by state.", "signingkey", "state"),
		conditions: gauge("keywright_signingkey_condition",
			"1 while a condition of the SigningKey is True, 0 while it is not.", "signingkey", "condition"),
		targets: gauge("keywright_targets", "Namespaces that the SigningKey selects.", "signingkey"),
		inSync:  gauge("keywright_targets_in_sync", "Selected namespaces that hold the current public keys.", "signingkey"),
		nextRotation: gauge("keywright_next_rotation_timestamp_seconds",
			"When the next rotation is planned, in seconds since the epoch; 0 when none is.", "signingkey"),
		writes: counter("keywright_configmap_writes_total",
			"Writes of public-key ConfigMaps, by what was done and how it ended.", "operation", "result"),
		nudges: counter("keywright_pod_nudges_total",
			"Pods touched after a revocation so that their kubelet renews the files at once, by how it ended.", "result"),
		planted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "keywright_planted_total",
			Help: "ConfigMaps that somebody else had written to and that were put right.",
		}),
	}
	registry.MustRegister(m.moves, m.keys, m.conditions, m.targets, m.inSync, m.nextRotation, m.writes, m.planted, m.nudges)
	return m
}

func (m *Metrics) move(name string, move rotation.Move) {
	m.moves.WithLabelValues(name, string(move.Kind), string(move.Reason)).Inc()
}

func (m *Metrics) wrote(operation string, err error) {
	m.writes.WithLabelValues(operation, result(err)).Inc()
}

func (m *Metrics) nudged(err error) {
	m.nudges.WithLabelValues(result(err)).Inc()
}

func result(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}

// observe sets the gauges of one SigningKey.
func (m *Metrics) observe(p *pass) {
	name := p.key.Name
	counts := map[rotation.State]int{rotation.Standby: 0, rotation.Active: 0, rotation.Retired: 0}
	for i := range p.keyring.ring.Keys {
		if k := &p.keyring.ring.Keys[i]; k.Published() {
			counts[k.State]++
		}
	}
	for state, n := range counts {
		m.keys.WithLabelValues(name, string(state)).Set(float64(n))
	}
	for _, c := range p.conditions() {
		value := 0.0
		if c.Status == "True" {
			value = 1
		}
		m.conditions.WithLabelValues(name, c.Type).Set(value)
	}
	m.targets.WithLabelValues(name).Set(float64(p.targets.selected))
	m.inSync.WithLabelValues(name).Set(float64(p.targets.inSync))
	next := 0.0
	if at := p.nextRotation(); !at.IsZero() {
		next = float64(at.Unix())
	}
	m.nextRotation.WithLabelValues(name).Set(next)
}

// forget drops everything that is said of a SigningKey that no longer exists.
func (m *Metrics) forget(name string) {
	of := prometheus.Labels{"signingkey": name}
	for _, v := range []*prometheus.GaugeVec{m.keys, m.conditions, m.targets, m.inSync, m.nextRotation} {
		v.DeletePartialMatch(of)
	}
	m.moves.DeletePartialMatch(of)
}
