package controllers

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/distribution"
	"github.com/keywright/keywright/controllers/installation"
	"github.com/keywright/keywright/controllers/istio"
	"github.com/keywright/keywright/controllers/podrefresh"
	"github.com/keywright/keywright/controllers/publication"
	"github.com/keywright/keywright/controllers/rotation"
	"github.com/keywright/keywright/controllers/signingkey"
	"github.com/keywright/keywright/controllers/trustedissuer"
	"github.com/keywright/keywright/controllers/wiring"
)

// Process has the dependencies of one controller process. A manager connects it to a real API server, the simulation to
// one in memory.
type Process struct {
	// Client reads from the cache, except Secrets, and writes.
	Client client.Client
	// API reads from the API server.
	API client.Reader
	// Fetched is a cache of the ConfigMap of the fetcher. If it is nil, TrustedIssuers are not reconciled.
	Fetched cache.Cache
	// CAs is a cache of the ConfigMaps with CAs of issuers. If it is nil, no CA is distributed.
	CAs cache.Cache
	// Istio has the RequestAuthentications. If it is nil, none are written.
	Istio *istio.Objects
	// KeyNamespace, TakeOverFrom and NudgePods are those of Options.
	KeyNamespace string
	TakeOverFrom []string
	NudgePods    bool
	// Now is the clock.
	Now func() time.Time
	// Recorder writes events.
	Recorder events.EventRecorder
	// Registry registers the metrics.
	Registry prometheus.Registerer
	// Generate generates a key pair.
	Generate func(rotation.KeySpec) (rotation.Material, error)
}

// Controllers returns new controllers, which share the stores between them.
func (p *Process) Controllers() []wiring.Controller {
	projections, nudges := desired.NewStore(), podrefresh.NewRequests()
	nudged := podrefresh.NewMetrics(p.Registry)
	installation := &installation.Installation{Client: p.Client, KeyNamespace: p.KeyNamespace, TakeOverFrom: p.TakeOverFrom}
	quorum := &distribution.QuorumReader{API: p.API, KeyNamespace: p.KeyNamespace, Now: p.Now, Projections: projections}
	all := []wiring.Controller{
		&signingkey.Reconciler{
			Client: p.Client, API: p.API, CAs: p.CAs, Istio: p.Istio, KeyNamespace: p.KeyNamespace, Now: p.Now, Generate: p.Generate, Recorder: p.Recorder,
			Projections: projections, Published: publication.NewTracker(p.Now), Refreshes: nudges, Metrics: signingkey.NewMetrics(p.Registry, p.Now), Installation: installation,
		},
		&distribution.Reconciler{
			Client: p.Client, KeyNamespace: p.KeyNamespace, Now: p.Now, Recorder: p.Recorder, Projections: projections,
			Metrics: distribution.NewMetrics(p.Registry), Installation: installation, Quorum: quorum,
		},
		&podrefresh.Reconciler{
			For: "nudge", Client: p.Client, API: p.API, KeyNamespace: p.KeyNamespace, Everywhere: p.NudgePods, Now: p.Now, Requests: nudges, Metrics: nudged,
		},
	}
	if p.Istio != nil {
		all = append(all, &istio.Reconciler{
			Client: p.Client, API: p.API, Objects: p.Istio, KeyNamespace: p.KeyNamespace, Installation: installation, Projections: projections, Names: quorum,
			Recorder: p.Recorder,
		})
	}
	if p.Fetched == nil {
		return all
	}
	withdrawn := podrefresh.NewRequests()
	return append(all,
		&trustedissuer.Reconciler{
			Client: p.Client, Fetched: p.Fetched, API: p.API, KeyNamespace: p.KeyNamespace, Installation: installation, Now: p.Now, Recorder: p.Recorder,
			Projections: projections, Refreshes: withdrawn, Metrics: trustedissuer.NewMetrics(p.Registry),
		},
		&podrefresh.Reconciler{
			For: "nudge-withdrawn", Client: p.Client, API: p.API, KeyNamespace: p.KeyNamespace, Everywhere: p.NudgePods, Now: p.Now, Requests: withdrawn,
			Metrics: nudged,
		},
	)
}
