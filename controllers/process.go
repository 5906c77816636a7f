package controllers

import (
	"crypto/rand"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/controllers/rotation"
	"github.com/keywright/keywright/controllers/wiring"
)

// Process is what one controller process works with. A manager gives it a real API server, the simulation one in memory.
type Process struct {
	// Client reads from the cache, but for Secrets, and writes.
	Client client.Client
	// API reads from the API server itself.
	API client.Reader
	// KeyNamespace, TakeOverFrom and NudgePods are those of Options.
	KeyNamespace string
	TakeOverFrom []string
	NudgePods    bool
	// Now is the clock.
	Now func() time.Time
	// Recorder writes events.
	Recorder events.EventRecorder
	// Registry takes the metrics.
	Registry prometheus.Registerer
	// Generate makes a key pair.
	Generate func(rotation.KeySpec) (rotation.Material, error)
}

// Controllers returns new controllers, which remember nothing and share what one hands to another.
func (p *Process) Controllers() []wiring.Controller {
	projections, nudges, m := NewProjections(), NewNudges(), NewMetrics(p.Registry, p.Now)
	installation := &Installation{Client: p.Client, KeyNamespace: p.KeyNamespace, TakeOverFrom: p.TakeOverFrom}
	return []wiring.Controller{
		&SigningKeyReconciler{
			Client: p.Client, API: p.API, KeyNamespace: p.KeyNamespace, Now: p.Now, Generate: p.Generate, Recorder: p.Recorder,
			Projections: projections, Published: NewPublicationTracker(p.Now), Nudges: nudges, Metrics: m, Installation: installation,
		},
		&DistributionReconciler{
			Client: p.Client, API: p.API, KeyNamespace: p.KeyNamespace, Now: p.Now, Recorder: p.Recorder, Projections: projections,
			Metrics: m, Installation: installation, Applier: contract.ManagedBy + "-create-" + rand.Text()[:8],
			truth: &truth{api: p.API, keyNamespace: p.KeyNamespace, now: p.Now, projections: projections},
		},
		&NudgeReconciler{
			Client: p.Client, API: p.API, KeyNamespace: p.KeyNamespace, Everywhere: p.NudgePods, Now: p.Now, Nudges: nudges, Metrics: m,
		},
	}
}
