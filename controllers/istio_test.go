package controllers

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/istio"
	"github.com/keywright/keywright/controllers/wiring"
)

// istioInstalled installs Istio's CRD once for all tests.
var istioInstalled = sync.OnceValue(func() error {
	_, err := envtest.InstallCRDs(environment.config, envtest.CRDInstallOptions{
		Paths: []string{"istio/testdata"}, ErrorIfPathMissing: true, MaxTime: time.Minute, PollInterval: 100 * time.Millisecond,
	})
	return err
})

// mesh is a world whose first target requests a RequestAuthentication.
type mesh struct {
	*world
	objects *istio.Objects
	proxies *istio.Reconciler
}

func newMesh(t *testing.T, change ...func(*keywrightv1alpha1.SigningKey)) *mesh {
	t.Helper()
	w := newWorld(t)
	w.must(istioInstalled())
	m := &mesh{world: w}
	m.label(w.targets[0], map[string]string{"trusts": w.name, "mesh": w.name})
	m.objects = m.watch(t.Context())
	m.restart()
	m.signingKey(append([]func(*keywrightv1alpha1.SigningKey){func(k *keywrightv1alpha1.SigningKey) {
		k.Spec.Outputs = &keywrightv1alpha1.Outputs{Istio: &keywrightv1alpha1.IstioOutput{
			Issuer: "https://issuer.example.com", Audiences: []string{"a"}, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"mesh": w.name}},
		}}
	}}, change...)...)
	return m
}

// watch starts the watch.
func (m *mesh) watch(ctx context.Context) *istio.Objects {
	m.Helper()
	objects, err := istio.NewObjects(environment.config)
	m.must(err)
	go objects.Run(ctx)
	if !objects.WaitForAnswer(ctx) || objects.Trouble() != "" {
		m.Fatalf("the watch says %q", objects.Trouble())
	}
	return objects
}

// restart replaces the controllers by new ones.
func (m *mesh) restart() {
	m.world.restart()
	m.keys.Istio = m.objects
	m.proxies = &istio.Reconciler{
		Client: ownKeys{m.Client, m.name}.asClient(m.Client), API: m.Client, Objects: m.objects, KeyNamespace: m.keys.KeyNamespace, Installation: m.files.Installation,
		Projections: m.files.Projections, Names: m.files.Quorum, Recorder: m.events,
	}
}

// asClient writes with a client, and lists only the SigningKeys of one world.
func (c ownKeys) asClient(with client.Client) client.Client { return ownClient{with, c} }

type ownClient struct {
	client.Client
	own ownKeys
}

func (c ownClient) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	return c.own.List(ctx, list, opts...)
}

// stands returns the RequestAuthentication of a namespace, nil if there is none.
func (m *mesh) stands(namespace string) *unstructured.Unstructured {
	m.Helper()
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(istio.Resource().GroupVersion().WithKind("RequestAuthentication"))
	err := m.Get(m.Context(), client.ObjectKey{Namespace: namespace, Name: istio.NameOf(m.name)}, o)
	if apierrors.IsNotFound(err) {
		return nil
	}
	m.must(err)
	return o
}

// given returns the key set of the proxies in the first target, empty if they have none.
func (m *mesh) given() string {
	m.Helper()
	o := m.stands(m.targets[0])
	if o == nil {
		return ""
	}
	rules, _, err := unstructured.NestedSlice(o.Object, "spec", "jwtRules")
	m.must(err)
	return rules[0].(map[string]any)["jwks"].(string)
}

// file returns the key set of the first target's ConfigMap.
func (m *mesh) file() string { return m.configMap(m.targets[0]).Data[m.name+contract.JWKSSuffix] }

// caughtUp waits until the watch shows all existing objects.
func (m *mesh) caughtUp() {
	m.Helper()
	err := wait.PollUntilContextTimeout(m.Context(), 5*time.Millisecond, 30*time.Second, true, func(context.Context) (bool, error) {
		o, shown := m.stands(m.targets[0]), m.objects.Get(m.targets[0], istio.NameOf(m.name))
		if o == nil || shown == nil {
			return o == nil && shown == nil, nil
		}
		return strings.HasSuffix(shown.Version(), " "+o.GetResourceVersion()), nil
	})
	m.must(err)
}

func (m *mesh) reconcileProxies() (ctrl.Result, error) {
	m.Helper()
	defer m.caughtUp()
	return m.proxies.Reconcile(m.Context(), wiring.Named(m.targets[0]))
}

// settle reconciles until no more changes are due, including proxies.
func (m *mesh) settle() {
	m.Helper()
	for range 3 {
		m.world.settle()
		_, err := m.reconcileProxies()
		m.must(err)
	}
	m.world.settle()
}

func (m *mesh) step(d time.Duration) {
	m.Helper()
	m.clock.step(d)
	m.settle()
}

func (m *mesh) wantGiven(what, want string) {
	m.Helper()
	if got := m.given(); got != want {
		m.Errorf("%s: proxies have %s, not %s", what, got, want)
	}
}

// A Standby waits until proxies have it, and then for the propagation delay.
func TestStandbyWaitsForProxies(t *testing.T) {
	m := newMesh(t)
	m.settle()
	m.wantGiven("at first", m.file())
	m.want("IstioDistributed", m.condition(keywrightv1alpha1.ConditionIstioDistributed), "True InSync")
	m.step(11 * time.Minute)
	m.clock.step(49 * time.Minute) // the rotation, and the next Standby, which proxies do not get
	m.world.settle()
	second, third := m.signs(), m.standby()
	if strings.Contains(m.given(), third) || !strings.Contains(m.file(), third) {
		t.Fatal("proxies have it")
	}
	m.want("IstioDistributed", m.condition(keywrightv1alpha1.ConditionIstioDistributed), "False TargetsBehind")
	m.want("Distributed", m.condition(keywrightv1alpha1.ConditionDistributed), "False TargetsBehind")
	if got := m.get().Status.Targets; got.Summary != "2/3" || !slices.Equal(got.Behind, m.targets[:1]) {
		t.Errorf("targets are %+v", got)
	}
	m.clock.step(2 * time.Hour)
	m.world.settle()
	m.want("what signs while proxies do not know the next key", m.signs(), second)
	m.want("RotationOnTime", m.condition(keywrightv1alpha1.ConditionRotationOnTime), "False NotPublished")
	m.settle()
	m.wantGiven("told", m.file())
	m.step(11*time.Minute - time.Millisecond)
	m.want("what signs before the propagation delay is over", m.signs(), second)
	m.step(time.Millisecond)
	m.want("what signs then", m.signs(), third)
}

// A restart continues the wait if nothing changed, and starts it again if proxies got other keys meanwhile.
func TestRestartLooksAtProxies(t *testing.T) {
	for name, change := range map[string]func(m *mesh){
		"nothing happened": func(*mesh) {},
		"proxies were given something else": func(m *mesh) {
			o := m.stands(m.targets[0])
			o.SetAnnotations(map[string]string{"a": "b"})
			m.must(m.Update(m.Context(), o))
			m.caughtUp()
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMesh(t)
			m.settle()
			m.step(40 * time.Minute)
			standby := m.standby()
			m.step(time.Minute)
			change(m)
			m.clock.step(19 * time.Minute)
			m.restart()
			m.settle()
			if signs := m.signs() == standby; signs != (name == "nothing happened") {
				t.Errorf("after the restart the Standby signs: %v", signs)
			}
		})
	}
}

// A revocation reaches proxies even if writes of the ConfigMap are refused, or if it is gone, and the receipt reports
// no more than that.
func TestRevocationReachesProxiesWithoutTheConfigMap(t *testing.T) {
	for _, name := range []string{"refused", "gone"} {
		t.Run(name, func(t *testing.T) {
			m := newMesh(t)
			m.settle()
			m.files.Client = refusing{m.Client, m.targets[0]}
			if name == "gone" {
				m.must(m.Delete(t.Context(), m.configMap(m.targets[0])))
			}
			first := m.signs()
			m.revoke(first)
			m.try()
			if name == "refused" && !strings.Contains(m.file(), first) {
				t.Fatal("it was not refused")
			}
			_, err := m.reconcileProxies()
			m.must(err)
			if given := m.given(); given == "" || strings.Contains(given, first) {
				t.Errorf("proxies have %s", given)
			}
			m.files.Client = m.Client
			m.settle()
			m.wantGiven("let in", m.file())
		})
	}
}

// Pods of a namespace that is being deleted may run for a long time.
func TestRevocationReachesProxiesOfATerminatingNamespace(t *testing.T) {
	m := newMesh(t)
	m.settle()
	first := m.signs()
	m.must(m.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: m.targets[0]}}))
	m.revoke(first)
	m.settle()
	m.wantGiven("after the revocation", m.file())
	if strings.Contains(m.given(), first) {
		t.Error("proxies have the revoked key")
	}
	m.must(m.Delete(t.Context(), m.stands(m.targets[0])))
	m.caughtUp()
	m.settle()
	if m.stands(m.targets[0]) != nil {
		t.Error("it was created in a namespace that is being deleted")
	}
}

// The receipt of a revocation waits for proxies.
func TestReceiptWaitsForProxies(t *testing.T) {
	m := newMesh(t)
	m.settle()
	first := m.signs()
	m.revoke(first)
	m.world.settle()
	if strings.Contains(m.file(), first) || !strings.Contains(m.given(), first) {
		t.Fatal("it is in the file, or not with proxies")
	}
	if r := m.receipt(first); r.RemovedAt != nil {
		t.Errorf("the receipt says that it is removed: %+v", r)
	}
	m.settle()
	if r := m.receipt(first); r.RemovedAt == nil {
		t.Errorf("the receipt does not say that it is removed: %+v", r)
	}
}

// A process that was paused restores no key, neither from its cache nor from what it read before.
func TestPausedProcessGivesProxiesNothingBack(t *testing.T) {
	for _, name := range []string{"by its cache", "by what it read"} {
		t.Run(name, func(t *testing.T) {
			m := newMesh(t)
			m.settle()
			first := m.signs()
			ctx, pause := context.WithCancel(t.Context())
			paused := *m
			paused.objects = m.watch(ctx)
			pause()
			old := stale{m.Client, m.configMap(m.targets[0])}
			stopped := &istio.Reconciler{
				Client: ownKeys{m.Client, m.name}.asClient(old), API: m.Client, Objects: paused.objects, KeyNamespace: m.keys.KeyNamespace,
				Installation: m.files.Installation, Projections: desired.NewStore(), Names: m.files.Quorum, Recorder: m.events,
			}
			if name == "by what it read" {
				stopped.API = old
				// It was about to restore an object.
				old.cm.Data[m.name+contract.JWKSSuffix] += " "
				record := desired.RecordsOf(old.cm)
				mine := record[m.name]
				mine.Digest = desired.Digest(old.cm.Data[m.name+contract.JWKSSuffix])
				record[m.name] = mine
				annotation, err := desired.EncodeRecords(record)
				m.must(err)
				old.cm.Annotations[contract.ProjectionsAnnotation] = annotation
			}
			m.revoke(first)
			m.settle()
			m.wantGiven("after the revocation", m.file())
			result, err := stopped.Reconcile(t.Context(), wiring.Named(m.targets[0]))
			if err != nil || name == "by what it read" && result.RequeueAfter == 0 {
				t.Errorf("it ended with %v, %v", result, err)
			}
			m.wantGiven("after the paused process went on", m.file())
			if strings.Contains(m.given(), first) {
				t.Error("the revoked key is back")
			}
		})
	}
}

// stale returns an earlier version of a ConfigMap.
type stale struct {
	client.Client
	cm *corev1.ConfigMap
}

func (c stale) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if cm, ok := o.(*corev1.ConfigMap); ok && key.Namespace == c.cm.Namespace {
		c.cm.DeepCopyInto(cm)
		return nil
	}
	return c.Client.Get(ctx, key, o, opts...)
}

// A deletion that ends trust waits for proxies. They have the tombstone for as long as the file, and are then without
// keys.
func TestDeletionTakesTrustFromProxies(t *testing.T) {
	m := newMesh(t, func(k *keywrightv1alpha1.SigningKey) { k.Spec.DeletionPolicy = keywrightv1alpha1.Delete })
	m.settle()
	m.must(m.Delete(t.Context(), m.get()))
	m.world.settle()
	m.clock.step(time.Hour)
	m.world.settle()
	if text := m.message(keywrightv1alpha1.ConditionReady); !strings.Contains(text, m.targets[0]) {
		t.Errorf("it does not wait for proxies: %s", text)
	}
	m.settle()
	if !issuerfiles.TrustsNobody(m.given()) {
		t.Errorf("proxies have %s", m.given())
	}
	m.step(11 * time.Minute)
	m.wantGone()
	m.step(22 * time.Hour)
	m.wantGiven("with the file", string(issuerfiles.Tombstone("ES256")))
	m.step(2 * time.Hour)
	if m.stands(m.targets[0]) != nil {
		t.Error("a tombstone stays for ever")
	}
}

// A retained keyring is projected to proxies without a SigningKey, and a new SigningKey uses it again.
func TestRetainedKeysStayWithProxies(t *testing.T) {
	m := newMesh(t)
	m.settle()
	key := m.get()
	m.must(m.Delete(t.Context(), key))
	m.settle()
	m.wantGone()
	m.restart()
	m.settle()
	m.step(time.Minute)
	if m.given() == "" || issuerfiles.TrustsNobody(m.given()) {
		t.Errorf("proxies have %s", m.given())
	}
	m.wantGiven("retained", m.file())
}

// In a deselected namespace, file and proxies keep the keys for the same time, and then get the tombstone. If
// outputs.istio no longer selects a namespace, its RequestAuthentication is deleted at once.
func TestProxiesOfADeselectedNamespaceKeepKeysLikeItsFile(t *testing.T) {
	m := newMesh(t)
	m.settle()
	m.label(m.targets[0], map[string]string{"mesh": m.name})
	m.settle()
	m.wantGiven("deselected", m.file())
	m.step(21*time.Minute + time.Second)
	m.wantGiven("over", string(issuerfiles.Tombstone("ES256")))
	m.label(m.targets[0], nil)
	m.settle()
	if m.stands(m.targets[0]) != nil {
		t.Error("it stays with who does not ask for it")
	}
}

// The cache may be stale when a deletion is decided.
func TestOnlyReadsFromTheAPIServerEndTheTrustOfProxies(t *testing.T) {
	m := newMesh(t)
	m.settle()
	m.proxies.Client = withoutOutputs{m.proxies.Client}
	_, err := m.reconcileProxies()
	m.must(err)
	m.wantGiven("with an old SigningKey in the cache", m.file())
}

// withoutOutputs returns earlier versions of SigningKeys, without outputs.
type withoutOutputs struct{ client.Client }

func (c withoutOutputs) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	err := c.Client.List(ctx, list, opts...)
	if keys, ok := list.(*keywrightv1alpha1.SigningKeyList); ok {
		for i := range keys.Items {
			keys.Items[i].Spec.Outputs = nil
		}
	}
	return err
}

// While the keys of proxies are not known, rotations wait for waitForTargets.
func TestProxiesThatCannotBeObservedAreAwaited(t *testing.T) {
	m := newMesh(t, func(k *keywrightv1alpha1.SigningKey) { k.Spec.Rotation.WaitForTargets.Duration = 2 * time.Hour })
	m.settle()
	m.step(11 * time.Minute)
	m.keys.Istio = nil // a controller without --istio
	m.world.settle()
	first := m.signs()
	m.want("IstioDistributed", m.condition(keywrightv1alpha1.ConditionIstioDistributed), "False IstioNotEnabled")
	m.clock.step(time.Hour)
	m.world.settle()
	m.want("what signs", m.signs(), first)
	m.clock.step(2 * time.Hour)
	m.world.settle()
	if m.signs() == first {
		t.Error("it waits for ever")
	}
}
