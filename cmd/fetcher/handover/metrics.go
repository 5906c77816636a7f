package handover

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the metrics of fetches.
type Metrics struct {
	fetches *prometheus.CounterVec
	last    *prometheus.GaugeVec
	next    *prometheus.GaugeVec
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		fetches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "keywright_fetches_total", Help: "Fetches of the keys of a TrustedIssuer, by result.",
		}, []string{"trustedissuer", "result"}),
		last: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "keywright_fetch_last_success_timestamp_seconds", Help: "Unix time of the last successful fetch of the keys of a TrustedIssuer.",
		}, []string{"trustedissuer"}),
		next: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "keywright_fetch_next_timestamp_seconds", Help: "Unix time of the next fetch of the keys of a TrustedIssuer.",
		}, []string{"trustedissuer"}),
	}
	registry.MustRegister(m.fetches, m.last, m.next)
	return m
}

func (m *Metrics) fetched(name string, at time.Time, failure error) {
	if failure != nil {
		m.fetches.WithLabelValues(name, "error").Inc()
		return
	}
	m.fetches.WithLabelValues(name, "ok").Inc()
	m.last.WithLabelValues(name).Set(float64(at.Unix()))
}

func (m *Metrics) due(name string, at time.Time) {
	m.next.WithLabelValues(name).Set(float64(at.Unix()))
}

func (m *Metrics) forget(name string) {
	of := prometheus.Labels{"trustedissuer": name}
	m.fetches.DeletePartialMatch(of)
	m.last.DeletePartialMatch(of)
	m.next.DeletePartialMatch(of)
}
