package distribution

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the metrics of writes of ConfigMaps.
type Metrics struct {
	writes     *prometheus.CounterVec
	unexpected prometheus.Counter
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "keywright_configmap_writes_total",
			Help: "Writes of public-key ConfigMaps, by operation and result.",
		}, []string{"operation", "result"}),
		unexpected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "keywright_unexpected_content_total",
			Help: "ConfigMaps that another client had changed and that were restored.",
		}),
	}
	registry.MustRegister(m.writes, m.unexpected)
	return m
}

func (m *Metrics) wrote(operation string, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.writes.WithLabelValues(operation, result).Inc()
}
