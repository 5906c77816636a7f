package trustedissuer

import (
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// Metrics are the metrics of TrustedIssuers.
type Metrics struct {
	conditions, keys, leftOut, fetched *prometheus.GaugeVec
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, append([]string{"trustedissuer"}, labels...))
	}
	m := &Metrics{
		conditions: gauge("keywright_trustedissuer_condition", "1 if the condition of the TrustedIssuer is True, otherwise 0.", "condition"),
		keys:       gauge("keywright_trustedissuer_keys", "Keys of the TrustedIssuer that are distributed."),
		leftOut:    gauge("keywright_trustedissuer_keys_left_out", "Keys that the TrustedIssuer publishes but that are not distributed."),
		fetched:    gauge("keywright_trustedissuer_last_fetch_timestamp_seconds", "Unix time of the last valid response, as in status.lastFetchTime (up to an hour late); absent for inline keys."),
	}
	registry.MustRegister(m.conditions, m.keys, m.leftOut, m.fetched)
	return m
}

// observe records the state of a TrustedIssuer.
func (m *Metrics) observe(p *pass) {
	name := p.ti.Name
	for _, absent := range []string{keywrightv1alpha1.ConditionStalled, keywrightv1alpha1.ConditionStale} {
		m.conditions.WithLabelValues(name, absent).Set(0)
	}
	for _, c := range p.conditions() {
		value := 0.0
		if c.Status == metav1.ConditionTrue {
			value = 1
		}
		m.conditions.WithLabelValues(name, c.Type).Set(value)
	}
	m.keys.WithLabelValues(name).Set(float64(len(p.trusted.Keys)))
	m.leftOut.WithLabelValues(name).Set(float64(len(p.trusted.LeftOut)))
	if p.inline() || !p.handedOver() || p.entry.FetchedAt.IsZero() {
		m.fetched.DeleteLabelValues(name)
		return
	}
	m.fetched.WithLabelValues(name).Set(float64(p.entry.FetchedAt.Unix()))
}

// forget removes the metrics of a TrustedIssuer that no longer exists.
func (m *Metrics) forget(name string) {
	of := prometheus.Labels{"trustedissuer": name}
	for _, vec := range []*prometheus.GaugeVec{m.conditions, m.keys, m.leftOut, m.fetched} {
		vec.DeletePartialMatch(of)
	}
}
