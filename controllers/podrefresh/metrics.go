package podrefresh

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the metrics of nudged pods.
type Metrics struct {
	nudges *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{nudges: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "keywright_pod_nudges_total",
		Help: "Pods that were nudged to renew their files, after a revocation or after another issuer withdrew a key, by result.",
	}, []string{"result"})}
	registry.MustRegister(m.nudges)
	return m
}

func (m *Metrics) nudged(err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.nudges.WithLabelValues(result).Inc()
}
