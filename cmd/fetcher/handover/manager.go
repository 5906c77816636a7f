package handover

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// Options are the settings of the fetcher process. An empty address means no listener.
type Options struct {
	// KeyNamespace is where Keywright is installed.
	KeyNamespace string
	// MetricsBindAddress serves /metrics over HTTP. HealthProbeBindAddress serves /healthz and /readyz.
	MetricsBindAddress, HealthProbeBindAddress string
	// LeaderElect allows several replicas, of which only the leader fetches.
	LeaderElect bool
	// Now is the clock.
	Now func() time.Time
}

// parallelFetches is how many issuers are fetched in parallel.
const parallelFetches = 8

// NewManager returns a manager that fetches the keys of all TrustedIssuers. It caches only these objects.
func NewManager(config *rest.Config, opts Options) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	if err := keywrightv1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
		Client:                        client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.ConfigMap{}}}},
		Metrics:                       server.Options{BindAddress: orNone(opts.MetricsBindAddress)},
		HealthProbeBindAddress:        orNone(opts.HealthProbeBindAddress),
		LeaderElection:                opts.LeaderElect,
		LeaderElectionID:              "keywright-fetcher",
		LeaderElectionNamespace:       opts.KeyNamespace,
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return nil, fmt.Errorf("create the manager: %w", err)
	}
	for name, check := range map[string]func(string, healthz.Checker) error{"healthz": mgr.AddHealthzCheck, "readyz": mgr.AddReadyzCheck} {
		if err := check(name, healthz.Ping); err != nil {
			return nil, err
		}
	}
	return mgr, setup(mgr, opts)
}

func orNone(address string) string {
	if address == "" {
		return "0"
	}
	return address
}

func setup(mgr ctrl.Manager, opts Options) error {
	raw, err := discovery.NewDiscoveryClientForConfig(mgr.GetConfig())
	if err != nil {
		return err
	}
	handover := &Handover{Client: mgr.GetClient(), KeyNamespace: opts.KeyNamespace}
	r := &Reconciler{
		Client: mgr.GetClient(), Handover: handover, Now: opts.Now, Metrics: NewMetrics(metrics.Registry),
		Cluster: cluster{handover, raw.RESTClient()},
	}
	return ctrl.NewControllerManagedBy(mgr).Named("fetcher").
		For(&keywrightv1alpha1.TrustedIssuer{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: parallelFetches}).
		Complete(r)
}

// cluster implements source.Cluster.
type cluster struct {
	*Handover
	api rest.Interface
}

// Read implements source.Cluster.
func (c cluster) Read(ctx context.Context, path string) ([]byte, error) {
	return c.api.Get().AbsPath(path).DoRaw(ctx)
}
