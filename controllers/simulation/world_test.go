package simulation

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

const (
	keyNamespace = "keywright-system"
	signingKey   = "main"
	issuerName   = "https://issuer.example.com"
	audience     = "service"
)

// The objects of the one SigningKey.
var (
	keyRef     = ref{kindSigningKey, "", signingKey}
	keyringRef = ref{kindSecret, keyNamespace, signingKey + contract.KeyringSuffix}
	secretRef  = ref{kindSecret, keyNamespace, signingKey + contract.SigningKeySuffix}
)

func filesIn(namespace string) ref { return ref{kindConfigMap, namespace, contract.JWKSConfigMap} }

// world is one schedule: the API server, the processes, the pods, the users, and the true time.
type world struct {
	seed  uint64
	rnd   *rand.Rand
	now   time.Time
	step  int
	quiet bool
	trace []string
	wrong string
	dir   string
	end   string // the summary of the end state

	store     *store
	faults    *faults
	pods      *pods
	users     *users
	facts     *facts
	sessions  *sessions
	foreign   *foreign // nil in every second schedule
	processes [2]*process
	writer    *process // the process that is writing, nil for users
	writing   *activity
	starts    int
	paused    *process
	disturbed time.Time // when users or refusals last changed what rotations depend on
	runs      int
	stormy    int // the runs before the calm
	rotations int
	nudgePods bool
	// lag is the smallest propagation delay, and skew the smallest clock skew, of all specs. Files and clocks keep to
	// them.
	lag, skew time.Duration
}

func newWorld(seed uint64, quiet, clean bool) *world {
	w := &world{
		seed: seed, rnd: rand.New(rand.NewPCG(seed, 1)), quiet: quiet,
		now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	parent := "/dev/shm"
	if _, err := os.Stat(parent); err != nil {
		parent = ""
	}
	var err error
	if w.dir, err = os.MkdirTemp(parent, "keywright-simulation-"); err != nil {
		panic(err)
	}
	w.store = newStore(func() time.Time { return w.now })
	w.store.committed = w.commit
	w.faults = &faults{w: w, clean: clean, refused: map[ref]bool{}}
	w.pods = newPods(w)
	w.facts = newFacts(w)
	w.sessions = &sessions{w: w, dropped: map[int64]bool{}}
	w.foreign = newForeign(w)
	w.users = newUsers(w)
	return w
}

func (w *world) close() {
	for _, p := range w.processes {
		if p != nil {
			p.end()
		}
	}
	w.pods.close()
	w.foreign.close()
	_ = os.RemoveAll(w.dir)
}

func (w *world) log(format string, args ...any) {
	if !w.quiet {
		w.trace = append(w.trace, fmt.Sprintf("%14s %6d  ", w.elapsed().Round(time.Millisecond), w.step)+fmt.Sprintf(format, args...))
	}
}

func (w *world) elapsed() time.Duration {
	return w.now.Sub(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
}

func (w *world) violate(format string, args ...any) {
	if w.wrong == "" {
		w.wrong = fmt.Sprintf(format, args...)
		w.log("BROKEN: %s", w.wrong)
	}
}

func (w *world) String() string { return strings.Join(w.trace, "\n") }

// clockOffset returns an offset for a clock. All clocks are within the skew of each other.
func (w *world) clockOffset() time.Duration {
	if w.faults.clean {
		return 0
	}
	switch w.rnd.IntN(3) {
	case 0:
		return 0
	case 1:
		return w.skew
	default:
		return time.Duration(w.rnd.Int64N(int64(w.skew) + 1))
	}
}

// key returns the current SigningKey, nil if there is none.
func (w *world) key() *keywrightv1alpha1.SigningKey {
	k, _ := w.store.objects[keyRef].(*keywrightv1alpha1.SigningKey)
	return k
}

func (w *world) secret(r ref) *corev1.Secret {
	s, _ := w.store.objects[r].(*corev1.Secret)
	return s
}

func (w *world) configMap(namespace string) *corev1.ConfigMap {
	cm, _ := w.store.objects[filesIn(namespace)].(*corev1.ConfigMap)
	return cm
}

// fileIn returns the key set in the ConfigMap of a namespace, empty if there is none.
func (w *world) fileIn(namespace string) string {
	if cm := w.configMap(namespace); cm != nil {
		return cm.Data[signingKey+contract.JWKSSuffix]
	}
	return ""
}

// listIn returns the revocation list in the ConfigMap of a namespace, empty if there is none.
func (w *world) listIn(namespace string) string {
	if cm := w.configMap(namespace); cm != nil {
		return cm.Data[signingKey+contract.RevokedSuffix]
	}
	return ""
}

// targets returns the namespaces that the SigningKey selects, including those that are being deleted, sorted.
func (w *world) targets() []client.Object {
	key := w.key()
	var out []client.Object
	for _, ns := range w.store.list(kindNamespace, "") {
		if key != nil && selects(key, ns) {
			out = append(out, ns)
		}
	}
	return out
}

func selects(key *keywrightv1alpha1.SigningKey, ns client.Object) bool {
	if ns.GetName() == keyNamespace {
		return true
	}
	s, err := metav1.LabelSelectorAsSelector(key.Spec.Distribution.NamespaceSelector)
	return err == nil && s.Matches(labelsOf(ns))
}

func (w *world) withoutConfigMap() map[string]bool {
	absent := map[string]bool{}
	for _, ns := range w.store.list(kindNamespace, "") {
		if w.configMap(ns.GetName()) == nil {
			absent[ns.GetName()] = true
		}
	}
	return absent
}
