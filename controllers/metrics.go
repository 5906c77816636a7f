package controllers

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/keywright/keywright/controllers/rotation"
)

// Metrics are what Prometheus can read. No label holds more than a name, a kid, a state or a reason.
type Metrics struct {
	moves     *prometheus.CounterVec
	writes    *prometheus.CounterVec
	nudges    *prometheus.CounterVec
	planted   prometheus.Counter
	publishes *prometheus.HistogramVec
	standing  *standing
}

// NewMetrics registers the metrics. now is the clock that ages are told by.
func NewMetrics(registry prometheus.Registerer, now func() time.Time) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		moves: counter("keywright_key_moves_total",
			"Moves of keys between their states, by the reason of the move.", "signingkey", "move", "reason"),
		writes: counter("keywright_configmap_writes_total",
			"Writes of public-key ConfigMaps, by what was done and how it ended.", "operation", "result"),
		nudges: counter("keywright_pod_nudges_total",
			"Pods touched after a revocation so that their kubelet renews the files at once, by how it ended.", "result"),
		planted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "keywright_planted_total",
			Help: "ConfigMaps that somebody else had written to and that were put right.",
		}),
		publishes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "keywright_publish_duration_seconds",
			Help:    "Time from a change of the keys until every target was seen to hold them.",
			Buckets: prometheus.ExponentialBuckets(.125, 2, 14),
		}, []string{"signingkey"}),
		standing: newStanding(now),
	}
	registry.MustRegister(m.moves, m.writes, m.nudges, m.planted, m.publishes, m.standing)
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

// observe notes how one SigningKey stands.
func (m *Metrics) observe(p *pass) {
	if took, done := m.standing.note(p); done {
		m.publishes.WithLabelValues(p.key.Name).Observe(took.Seconds())
	}
}

// forget drops everything that is said of a SigningKey that no longer exists.
func (m *Metrics) forget(name string) {
	of := prometheus.Labels{"signingkey": name}
	m.moves.DeletePartialMatch(of)
	m.publishes.DeletePartialMatch(of)
	m.standing.forget(name)
}
