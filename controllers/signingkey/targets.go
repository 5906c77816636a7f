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

// targets has the state of the namespaces of one SigningKey, from the cache.
type targets struct {
	// selector is nil if it is invalid.
	selector        labels.Selector
	invalidSelector error
	// matched is the number of namespaces that the selector selects. selected includes the key namespace.
	matched, selected int
	inSync            int
	kept              int
	// held are the kids in any file.
	held []string
	// holders are the namespaces whose file holds a key, selected or not, sorted.
	holders []string
	// behind are the targets that do not hold the current keys. lacking are those that rotations wait for, and leftBehind
	// those that they no longer wait for. All are sorted.
	behind, lacking, leftBehind []string
	// withoutCA are the namespaces that do not hold the current CA, sorted.
	withoutCA []string
	// terminating are the namespaces that are being deleted and whose ConfigMap is gone, sorted. Their pods may still run.
	terminating []string
	// lagging is the number of awaited files without the key, by published key.
	lagging map[string]int
	// holding is the number of files that still hold the key, by revoked key.
	holding map[string]int
	// list is the revocation list of the key namespace, if the controller wrote it. listGeneration is that of its keyring.
	list           issuerfiles.Revoked
	listGeneration int64
	// lists are the distinct revocation lists beside the files that hold a key.
	lists map[string]bool
	// gateway has the namespaces where another object has the gateway entry. It is nil unless this one requests the entry.
	gateway *desired.GatewayTaken
	// proxies is the state of Istio's proxies.
	proxies proxies
	// largest is the size of the largest ConfigMap that holds a key, in bytes.
	largest int
	// algorithm is that of a key in the file of the key namespace, or else in another file. It is empty if no file has a
	// key.
	algorithm string
	// digest is a digest of the resource versions of all awaited ConfigMaps.
	digest string
}

// wanted is what the files of one SigningKey are compared with.
type wanted struct {
	name    string
	files   desired.Files
	ids     []string
	revoked []string
	parsed  publication.KeyIDs
	tracker *publication.Tracker
	now     time.Time
	// keepFor is how long rotations wait for a namespace that is no longer selected. delay is the propagation delay.
	keepFor, delay time.Duration
	keyNamespace   string
	versions       []string
}

// observeTargets reads the metadata of namespaces, and the ConfigMaps of the reserved name, from the cache.
func (r *Reconciler) observeTargets(ctx context.Context, p *pass) (targets, error) {
	t := targets{lagging: map[string]int{}, holding: map[string]int{}, lists: map[string]bool{}}
	began := r.Now()
	defer func() { r.Published.Checked(p.name, r.Now().Sub(began)) }()
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
		t.addNamespace(&namespaces.Items[i], files[namespaces.Items[i].Name], want)
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

// configMaps returns the ConfigMaps of the reserved name, by namespace.
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

// addNamespace counts one namespace.
func (t *targets) addNamespace(ns *metav1.PartialObjectMetadata, cm *corev1.ConfigMap, want *wanted) {
	content, list, ca := filesIn(cm, want.name)
	holds := t.addFile(ns.Name, content, want)
	proxiesHold := t.addProxies(ns.Name, holds, want)
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
		t.gateway.Add(ns.Name, ns.Labels)
	case holds || proxiesHold:
		t.kept++
	default:
		return
	}
	proxies := t.proxies.addNamespace(ns.Name, ns.Labels, selected, content)
	inSync := content == want.files.KeySet && list == want.files.Revoked && proxies.inSync
	if inSync && selected {
		t.inSync++
	}
	t.note(ns.Name, inSync, want.holdsCA(ca))
	t.await(ns.Name, cm, proxies, inSync, t.pastKeepFor(ns.Name, cm, selected, want), want)
}

// filesIn returns the files of a SigningKey in a ConfigMap. It ignores those of a TrustedIssuer of the same name.
func filesIn(cm *corev1.ConfigMap, name string) (keySet, list, ca string) {
	if cm == nil || desired.IsForeign(cm, name) {
		return "", "", ""
	}
	return cm.Data[name+contract.JWKSSuffix], cm.Data[name+contract.RevokedSuffix], cm.Data[name+contract.CASuffix]
}

// note records whether a namespace lacks the current keys or the CA.
func (t *targets) note(namespace string, inSync, holdsCA bool) {
	if !inSync {
		t.behind = append(t.behind, namespace)
	}
	if !holdsCA {
		t.withoutCA = append(t.withoutCA, namespace)
	}
}

// holdsCA reports whether ca is the current CA.
func (w *wanted) holdsCA(ca string) bool { return ca == w.files.CA || w.files.KeepCA }

// sizeOf returns the size of the files in a ConfigMap, in bytes.
func sizeOf(cm *corev1.ConfigMap) int {
	size := 0
	for _, content := range cm.Data {
		size += len(content)
	}
	return size
}

// algorithmOfSet returns the alg of the first key of a JWKS, empty if there is none or if the API does not know it.
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

// addFile counts a file if it holds any key, and reports whether it does.
func (t *targets) addFile(namespace, content string, want *wanted) bool {
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

// addProxies counts a RequestAuthentication if it holds any key, and reports whether it does. counted is set if the
// file of the namespace was counted.
func (t *targets) addProxies(namespace string, counted bool, want *wanted) bool {
	existing := t.proxies.existing[namespace]
	if existing == nil || !existing.Trusts() {
		return false
	}
	if !counted {
		t.holders = append(t.holders, namespace)
	}
	for _, id := range want.parsed.Of(existing.KeySet()) {
		if slices.Contains(want.revoked, id) {
			t.holding[id]++
		}
	}
	return true
}
