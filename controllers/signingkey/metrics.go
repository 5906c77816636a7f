package signingkey

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/keywright/keywright/controllers/rotation"
)

// Metrics are the metrics of SigningKeys. The labels are only names, kids, states and reasons.
type Metrics struct {
	moves     *prometheus.CounterVec
	publishes *prometheus.HistogramVec
	gauges    *gauges
}

// NewMetrics registers the metrics. now is the clock for ages.
func NewMetrics(registry prometheus.Registerer, now func() time.Time) *Metrics {
	m := &Metrics{
		moves: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "keywright_key_moves_total",
			Help: "Transitions of keys between states, by reason.",
		}, []string{"signingkey", "move", "reason"}),
		publishes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "keywright_publish_duration_seconds",
			Help:    "Time from a change of the keys until every target held them.",
			Buckets: prometheus.ExponentialBuckets(.125, 2, 14),
		}, []string{"signingkey"}),
		gauges: newGauges(now),
	}
	registry.MustRegister(m.moves, m.publishes, m.gauges)
	return m
}

func (m *Metrics) move(name string, move rotation.Move) {
	m.moves.WithLabelValues(name, string(move.Kind), string(move.Reason)).Inc()
}

// observe records the state of a SigningKey.
func (m *Metrics) observe(p *pass) {
	if took, done := m.gauges.note(p); done {
		m.publishes.WithLabelValues(p.name).Observe(took.Seconds())
	}
}

// forget removes the metrics of a SigningKey that no longer exists.
func (m *Metrics) forget(name string) {
	of := prometheus.Labels{"signingkey": name}
	m.moves.DeletePartialMatch(of)
	m.publishes.DeletePartialMatch(of)
	m.gauges.forget(name)
}
