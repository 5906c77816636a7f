package signingkey

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/publication"
)

// targets is what the cache shows of the namespaces of one SigningKey.
type targets struct {
	// selector is nil when it is invalid.
	selector        labels.Selector
	invalidSelector error
	// matched counts the namespaces that the selector selects; selected counts the key namespace with them.
	matched, selected int
	inSync            int
	kept              int
	// held are the kids that any file has.
	held []string
	// holders are the namespaces whose file holds a key, selected or not, sorted.
	holders []string
	// behind are the targets that do not hold the current keys, and lacking those of them that are awaited. leftBehind are those
	// that rotations no longer wait for. All are sorted.
	behind, lacking, leftBehind []string
	// withoutCA are the namespaces that do not hold the current CA, sorted.
	withoutCA []string
	// terminating are the namespaces that are being deleted and whose ConfigMap is gone, sorted: pods there may run on.
	terminating []string
	// lagging counts for each published key the awaited files that lack it.
	lagging map[string]int
	// holding counts for each revoked key the files that still hold it.
	holding map[string]int
	// list is the revocation list of the key namespace, if it is as the controller left it, and listGeneration that of its keyring.
	list           issuerfiles.Revoked
	listGeneration int64
	// lists are the revocation lists beside the files that hold a key, each once.
	lists map[string]bool
	// gateway counts where another object has the gateway entry, nil unless this one asks for it.
	gateway *desired.GatewayTaken
	// proxies are those of Istio.
	proxies proxies
	// largest is the size of the largest ConfigMap that holds a key, in bytes.
	largest int
	// algorithm is that of a key in the file of the key namespace, or of another one if that has none. Empty if no file has any.
	algorithm string
	// digest is one of the resource versions of all awaited ConfigMaps.
	digest string
}

// wanted is what every file of one SigningKey is compared with.
type wanted struct {
	name    string
	files   desired.Files
	ids     []string
	revoked []string
	parsed  publication.KeyIDs
	tracker *publication.Tracker
	now     time.Time
	// keepFor is how long a namespace that is no longer selected is awaited, delay the propagation delay.
	keepFor, delay time.Duration
	keyNamespace   string
	versions       []string
}

// observeTargets reads the cache: namespaces by their metadata, and the ConfigMaps of the one reserved name.
func (r *Reconciler) observeTargets(ctx context.Context, p *pass) (targets, error) {
	t := targets{lagging: map[string]int{}, holding: map[string]int{}, lists: map[string]bool{}}
	t.selector, t.invalidSelector = metav1.LabelSelectorAsSelector(p.key.Spec.Distribution.NamespaceSelector)
	var namespaces metav1.PartialObjectMetadataList
	namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := r.Client.List(ctx, &namespaces, client.UnsafeDisableDeepCopy); err != nil {
		return t, fmt.Errorf("list namespaces: %w", err)
	}
	files, err := configMaps(ctx, r.Client)
	if err != nil {
		return t, err
	}
	t.proxies = r.observeProxies(p.key)
	t.gateway = desired.NewGatewayTaken(r.Projections.All(), p.name, p.key.Spec.Distribution.GatewayEntry)
	ring := &p.keyring.Ring
	want := &wanted{
		name: p.name, files: desired.FilesOf(ring, p.policy, issuerfiles.Revoked{}), ids: ring.PublishedIDs(), revoked: slices.Clone(p.policy.Revoked),
		parsed: publication.KeyIDs{}, tracker: r.Published, now: r.Now(), keepFor: p.policy.KeepFor(ring), delay: p.policy.PropagationDelay,
		keyNamespace: r.KeyNamespace,
	}
	for i := range ring.Revoked {
		want.revoked = append(want.revoked, ring.Revoked[i].ID)
	}
	for i := range namespaces.Items {
		t.look(&namespaces.Items[i], files[namespaces.Items[i].Name], want)
	}
	for _, names := range [][]string{
		t.behind, t.withoutCA, t.lacking, t.leftBehind, t.holders, t.terminating, t.proxies.behind, t.proxies.leaving, want.versions,
	} {
		slices.Sort(names)
	}
	for _, ids := range want.parsed {
		t.held = union(t.held, ids)
	}
	slices.Sort(t.held)
	sum := sha256.Sum256([]byte(strings.Join(want.versions, "\n")))
	t.digest = hex.EncodeToString(sum[:16])
	return t, nil
}

// configMaps returns what stands under the reserved name, by namespace.
func configMaps(ctx context.Context, c client.Reader) (map[string]*corev1.ConfigMap, error) {
	var list corev1.ConfigMapList
	if err := c.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list ConfigMaps %s: %w", contract.JWKSConfigMap, err)
	}
	files := make(map[string]*corev1.ConfigMap, len(list.Items))
	for i := range list.Items {
		if list.Items[i].Name == contract.JWKSConfigMap {
			files[list.Items[i].Namespace] = &list.Items[i]
		}
	}
	return files, nil
}

// look counts one namespace.
func (t *targets) look(ns *metav1.PartialObjectMetadata, cm *corev1.ConfigMap, want *wanted) {
	content, list, ca := filesIn(cm, want.name)
	holds := t.hold(ns.Name, content, want)
	proxiesHold := t.holdInProxies(ns.Name, holds, want)
	if holds && (t.algorithm == "" || ns.Name == want.keyNamespace) {
		t.algorithm = cmp.Or(algorithmOfSet(content), t.algorithm)
	}
	if holds {
		t.lists[list] = true
		t.largest = max(t.largest, sizeOf(cm))
	}
	if ns.Name == want.keyNamespace && cm != nil {
		r := desired.RecordsOf(cm)[want.name]
		t.list, t.listGeneration = desired.RevokedIn(cm.Data, r, want.name), r.Generation
	}
	matches := t.selector != nil && t.selector.Matches(labels.Set(ns.Labels))
	selected := matches || ns.Name == want.keyNamespace
	if ns.DeletionTimestamp != nil {
		if selected && cm == nil {
			t.terminating = append(t.terminating, ns.Name)
		}
		return
	}
	if matches {
		t.matched++
	}
	switch {
	case selected:
		t.selected++
		t.gateway.Look(ns.Name, ns.Labels)
	case holds || proxiesHold:
		t.kept++
	default:
		return
	}
	proxies := t.proxies.look(ns.Name, ns.Labels, selected, content)
	inSync := content == want.files.KeySet && list == want.files.Revoked && proxies.inSync
	if inSync && selected {
		t.inSync++
	}
	t.note(ns.Name, inSync, want.holdsCA(ca))
	t.await(ns.Name, cm, proxies, inSync, t.over(ns.Name, cm, selected, want), want)
}

// filesIn returns what a ConfigMap holds of a name. What is that of a TrustedIssuer gives way.
func filesIn(cm *corev1.ConfigMap, name string) (keySet, list, ca string) {
	if cm == nil || desired.IsForeign(cm, name) {
		return "", "", ""
	}
	return cm.Data[name+contract.JWKSSuffix], cm.Data[name+contract.RevokedSuffix], cm.Data[name+contract.CASuffix]
}

// note notes what a namespace does not hold.
func (t *targets) note(namespace string, inSync, holdsCA bool) {
	if !inSync {
		t.behind = append(t.behind, namespace)
	}
	if !holdsCA {
		t.withoutCA = append(t.withoutCA, namespace)
	}
}

// holdsCA reports whether a CA is the current one.
func (w *wanted) holdsCA(ca string) bool { return ca == w.files.CA || w.files.KeepCA }

// sizeOf is how many bytes the files of a ConfigMap have.
func sizeOf(cm *corev1.ConfigMap) int {
	size := 0
	for _, content := range cm.Data {
		size += len(content)
	}
	return size
}

// algorithmOfSet returns the alg of the first key of a JWKS, empty if there is none that the API knows.
func algorithmOfSet(jwks string) string {
	keys, err := issuerfiles.DecodeKeySet([]byte(jwks))
	if err != nil || len(keys) == 0 {
		return ""
	}
	alg := issuerfiles.Algorithm(keys[0].JWK)
	if !strings.Contains(string(issuerfiles.Tombstone(alg)), `"alg":"`+alg+`"`) {
		return ""
	}
	return alg
}

// hold counts a file that holds any key.
func (t *targets) hold(namespace, content string, want *wanted) bool {
	if content == "" || issuerfiles.TrustsNobody(content) {
		return false
	}
	t.holders = append(t.holders, namespace)
	for _, id := range want.parsed.Of(content) {
		if slices.Contains(want.revoked, id) {
			t.holding[id]++
		}
	}
	return true
}

// holdInProxies counts a RequestAuthentication that holds any key. also is set if the file of its namespace was counted.
func (t *targets) holdInProxies(namespace string, also bool, want *wanted) bool {
	stands := t.proxies.stands[namespace]
	if stands == nil || !stands.Trusts() {
		return false
	}
	if !also {
		t.holders = append(t.holders, namespace)
	}
	for _, id := range want.parsed.Of(stands.KeySet()) {
		if slices.Contains(want.revoked, id) {
			t.holding[id]++
		}
	}
	return true
}

// over reports whether the time of a namespace that is no longer selected is over: then nobody waits for it, whatever it refuses.
func (t *targets) over(namespace string, cm *corev1.ConfigMap, selected bool, want *wanted) bool {
	since := want.tracker.DeselectedSince(want.name, namespace, selected || t.selector == nil)
	if since.IsZero() {
		return false
	}
	if at := desired.RecordsOf(cm)[want.name].DeselectedAt; at != nil && at.Before(since) {
		since = *at
	}
	return !want.now.Before(since.Add(want.keepFor + time.Second))
}

// await counts what a rotation waits for. A target without a ConfigMap is awaited only if there was one: nobody else there can
// have mounted it.
func (t *targets) await(namespace string, cm *corev1.ConfigMap, proxies proxyKeys, inSync, over bool, want *wanted) {
	awaited := want.tracker.Awaits(want.name, namespace, inSync, want.delay)
	switch {
	case !awaited:
		t.leftBehind = append(t.leftBehind, namespace)
		return
	case over || cm == nil && proxies.stands == nil && !want.tracker.WasLost(want.name, namespace):
		return
	}
	var held []string
	if cm != nil {
		want.versions = append(want.versions, namespace+" "+string(cm.UID)+" "+cm.ResourceVersion)
		held = want.parsed.Of(cm.Data[want.name+contract.JWKSSuffix])
	}
	if proxies.stands != nil {
		want.versions = append(want.versions, namespace+" proxies "+proxies.stands.Version())
	}
	lacks := false
	for _, id := range want.ids {
		if !slices.Contains(held, id) || proxies.lacks(id, want.parsed) {
			t.lagging[id]++
			lacks = true
		}
	}
	if lacks {
		t.lacking = append(t.lacking, namespace)
	}
}
