package controllers

import (
	"context"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/jwk"
	"github.com/keywright/keywright/controllers/wiring"
)

// +kubebuilder:rbac:groups=keywright.dev,resources=signingkeys,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=keywright.dev,resources=signingkeys/status,verbs=update
// +kubebuilder:rbac:groups=keywright.dev,resources=revocations,verbs=get;list;watch;delete
// +kubebuilder:rbac:groups=keywright.dev,resources=revocations/status,verbs=update
// +kubebuilder:rbac:groups=keywright.dev,resources=trustedissuers,verbs=get;list;watch
// +kubebuilder:rbac:groups=keywright.dev,resources=trustedissuers/status,verbs=update
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=configmaps,resourceNames=keywright-jwks,verbs=get;list;watch;create;patch;update;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;update;delete,namespace=keywright-system
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch,namespace=keywright-system
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch,namespace=keywright-system
// +kubebuilder:rbac:groups="",resources=pods,verbs=list;patch,namespace=keywright-system
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=create,namespace=keywright-system
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,resourceNames=keywright-controller,verbs=get;update,namespace=keywright-system

// Options are the settings of the controller process. An empty address means no listener.
type Options struct {
	// KeyNamespace is where Keywright is installed: the only namespace with private keys.
	KeyNamespace string
	// MetricsBindAddress serves /metrics over HTTP.
	MetricsBindAddress string
	// HealthProbeBindAddress serves /healthz and /readyz over HTTP.
	HealthProbeBindAddress string
	// PprofBindAddress serves /debug/pprof over HTTP.
	PprofBindAddress string
	// LeaderElect allows several replicas, of which only the leader reconciles. The Lease is in the key namespace.
	LeaderElect bool
	// NudgePods makes a revocation nudge the pods of all namespaces that mount the public keys, so that their kubelets
	// renew the files at once. It requires the permissions of config/nudge. Without it, only pods of the key namespace are
	// nudged.
	NudgePods bool
	// Istio enables outputs.istio of SigningKeys. It requires the permissions of config/istio.
	Istio bool
	// LeaseDuration, RenewDeadline and RetryPeriod are those of client-go's leader election.
	LeaseDuration, RenewDeadline, RetryPeriod time.Duration
	// TakeOverFrom are the key namespaces of installations that this one replaces.
	TakeOverFrom []string
	// Now is the clock.
	Now func() time.Time
}

// Run waits for the API server and its CRDs, and runs the controllers until the context ends.
func Run(ctx context.Context, config *rest.Config, opts Options) error {
	if err := awaitAPIServer(ctx, config, ctrl.Log); err != nil {
		return err
	}
	if err := awaitResources(ctx, config, ctrl.Log); err != nil {
		return err
	}
	mgr, err := NewManager(config, opts)
	if err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// NewManager returns a manager that runs the controllers. It caches SigningKeys, Revocations, TrustedIssuers, the
// metadata of Namespaces, the ConfigMaps of the reserved name, of the fetcher and with CAs of issuers, and the metadata
// of Secrets of the key namespace. It never caches a private key.
func NewManager(config *rest.Config, opts Options) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	if err := keywrightv1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.QPS = -1 // no client-side limit, which would delay a revocation; the API server has priority and fairness
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         cacheOptions(opts.KeyNamespace),
		Client:                        client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		Metrics:                       server.Options{BindAddress: orNone(opts.MetricsBindAddress)},
		HealthProbeBindAddress:        orNone(opts.HealthProbeBindAddress),
		PprofBindAddress:              opts.PprofBindAddress,
		LeaderElection:                opts.LeaderElect,
		LeaderElectionID:              contract.Lease,
		LeaderElectionNamespace:       opts.KeyNamespace,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &opts.LeaseDuration,
		RenewDeadline:                 &opts.RenewDeadline,
		RetryPeriod:                   &opts.RetryPeriod,
	})
	if err != nil {
		return nil, fmt.Errorf("create the manager: %w", err)
	}
	if err := addProbes(mgr); err != nil {
		return nil, err
	}
	if err := mgr.Add(newClockWatch(mgr.GetClient(), opts.Now)); err != nil {
		return nil, err
	}
	return mgr, setup(mgr, opts)
}

// orNone returns an address, or "0" for no listener if it is empty.
func orNone(address string) string {
	if address == "" {
		return "0"
	}
	return address
}

func addProbes(mgr ctrl.Manager) error {
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	return mgr.AddReadyzCheck("caches", func(req *http.Request) error {
		if !mgr.GetCache().WaitForCacheSync(req.Context()) {
			return fmt.Errorf("the caches are not synced yet: check the connection to the API server")
		}
		return nil
	})
}

// setup adds the controllers to a manager.
func setup(mgr ctrl.Manager, opts Options) error {
	fetched, err := newFetchedCache(mgr, opts.KeyNamespace)
	if err != nil {
		return err
	}
	cas, err := newCACache(mgr, opts.KeyNamespace)
	if err != nil {
		return err
	}
	proxies, err := newIstioWatch(mgr, opts.Istio)
	if err != nil {
		return err
	}
	process := Process{
		Client: mgr.GetClient(), API: mgr.GetAPIReader(), Fetched: fetched, CAs: cas, Istio: proxies, KeyNamespace: opts.KeyNamespace, TakeOverFrom: opts.TakeOverFrom,
		NudgePods: opts.NudgePods, Now: opts.Now, Recorder: mgr.GetEventRecorder("keywright-controller"), Registry: metrics.Registry,
		Generate: jwk.Generate,
	}
	for _, c := range process.Controllers() {
		if err := wiring.Add(mgr, c); err != nil {
			return fmt.Errorf("set up the %s controller: %w", c.Name(), err)
		}
	}
	return nil
}
