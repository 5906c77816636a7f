package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/keys"
	"github.com/keywright/keywright/issuer/oauth2"
)

// metrics are the Prometheus metrics. No label contains input of a client.
type metrics struct {
	registry    *prometheus.Registry
	requests    *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	grants      map[string]grantMetrics
	reloads     *prometheus.CounterVec
	failing     *prometheus.GaugeVec
	key         *prometheus.GaugeVec
	maxLifetime prometheus.Gauge
	next        prometheus.Gauge
	certificate prometheus.Gauge
	unreadable  prometheus.Counter
	queries     *prometheus.HistogramVec
}

// grantMetrics are the metrics of a grant type, looked up once because a lookup by labels is slower than counting.
type grantMetrics struct {
	issued   prometheus.Counter
	duration prometheus.Observer
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "keywright_issuer_token_requests_total", Help: "Token requests by grant type and result: issued, or the error code.",
		}, []string{"grant", "result"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "keywright_issuer_token_request_duration_seconds", Help: "Duration of token requests.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}, []string{"grant"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "keywright_issuer_reloads_total", Help: "Loads of a source (configuration, users, signingKey, certificate, clientCAs, postgresql or \"keys of NAME\"), by result.",
		}, []string{"source", "result"}),
		failing: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "keywright_issuer_source_failing", Help: "1 while the newest version of a source is invalid, completely or in part.",
		}, []string{"source"}),
		key: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "keywright_issuer_signing_key_info", Help: "1 for the key that signs.",
		}, []string{"signingkey", "kid", "algorithm"}),
		maxLifetime: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "keywright_issuer_max_token_lifetime_seconds", Help: "The longest lifetime that the policy of the signing key allows.",
		}),
		next: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "keywright_issuer_next_rotation_timestamp_seconds", Help: "Unix time of the planned rotation of the signing key; 0 if none is planned.",
		}),
		certificate: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "keywright_issuer_certificate_expiry_timestamp_seconds", Help: "Unix time at which the TLS certificate expires.",
		}),
	}
	m.unreadable = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "keywright_issuer_forwarded_unreadable_total", Help: "Requests from a trusted proxy without a valid client address.",
	})
	m.queries = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "keywright_issuer_postgresql_query_duration_seconds", Help: "Duration of queries for a user, including the wait for a connection, by result: ok or error.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{"result"})
	m.registry.MustRegister(m.unreadable, m.requests, m.duration, m.reloads, m.failing, m.key, m.maxLifetime, m.next, m.certificate,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.grants = map[string]grantMetrics{}
	for _, grant := range append(config.Grants(), config.RefreshToken, oauth2.OtherGrant) {
		m.grants[grant] = grantMetrics{m.requests.WithLabelValues(grant, oauth2.IssuedResult), m.duration.WithLabelValues(grant)}
	}
	return m
}

// addOverdue adds a metric for an overdue rotation.
func (m *metrics) addOverdue(overdue func() bool) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "keywright_issuer_signing_key_overdue", Help: "1 while the planned rotation of the signing key is more than an hour overdue; the key still signs.",
	}, func() float64 {
		if overdue() {
			return 1
		}
		return 0
	}))
}

// addDatabase adds the metrics of the user database.
func (m *metrics) addDatabase(connections func() (used, idle, most int32)) {
	gauge := func(name, help string, labels prometheus.Labels, value func() int32) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, func() float64 {
			return float64(value())
		}))
	}
	const open = "keywright_issuer_postgresql_connections"
	gauge(open, "Open connections to the database of users, by state.", prometheus.Labels{"state": "used"}, func() int32 { n, _, _ := connections(); return n })
	gauge(open, "Open connections to the database of users, by state.", prometheus.Labels{"state": "idle"}, func() int32 { _, n, _ := connections(); return n })
	gauge(open+"_max", "Maximum number of open connections to the database of users.", nil, func() int32 { _, _, n := connections(); return n })
	m.registry.MustRegister(m.queries)
}

// observeQuery counts a query for a user.
func (m *metrics) observeQuery(took time.Duration, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.queries.WithLabelValues(result).Observe(took.Seconds())
}

func (m *metrics) observeResponse(grant, result string, took time.Duration) {
	found := m.grants[grant]
	found.duration.Observe(took.Seconds())
	if result == oauth2.IssuedResult {
		found.issued.Inc()
		return
	}
	m.requests.WithLabelValues(grant, result).Inc()
}

func (m *metrics) observeLoad(source string, err error) {
	if err != nil {
		m.reloads.WithLabelValues(source, "error").Inc()
		m.failing.WithLabelValues(source).Set(1)
		return
	}
	m.reloads.WithLabelValues(source, "ok").Inc()
	m.failing.WithLabelValues(source).Set(0)
}

func (m *metrics) setSigningKey(key *keys.Snapshot) {
	m.key.Reset()
	if key.Signs() {
		m.key.WithLabelValues(key.SigningKey, key.KeyID, key.Algorithm).Set(1)
	}
	m.maxLifetime.Set(key.MaxLifetime.Seconds())
	m.next.Set(0)
	if !key.NextRotation.IsZero() {
		m.next.Set(float64(key.NextRotation.Unix()))
	}
}
