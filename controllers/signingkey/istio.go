package signingkey

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/istio"
	"github.com/keywright/keywright/controllers/publication"
	"github.com/keywright/keywright/controllers/report"
	"github.com/keywright/keywright/controllers/wiring"
)

// proxies is the state of Istio's proxies for one SigningKey: the existing and the requested RequestAuthentications.
type proxies struct {
	// output is nil if the SigningKey requests none.
	output          *keywrightv1alpha1.IstioOutput
	selector        labels.Selector
	invalidSelector error
	existing        map[string]*istio.RequestAuthentication
	// trouble is the reason for the condition if none can be written, otherwise empty.
	trouble string
	// unknown is set while the existing ones are not known.
	unknown bool
	refused func(namespace string) string

	// wanted counts the namespaces that are selected. behind are those of them whose RequestAuthentication is not up to
	// date. leaving are the others that still have one.
	wanted          int
	behind, leaving []string
}

// proxyKeys is the state of the proxies of one namespace.
type proxyKeys struct {
	existing *istio.RequestAuthentication
	inSync   bool
	// unknown is set while the existing RequestAuthentications are not known.
	unknown bool
}

// observeProxies reads the RequestAuthentications from the cache of their watch.
func (r *Reconciler) observeProxies(key *keywrightv1alpha1.SigningKey) proxies {
	m := proxies{
		trouble: r.Istio.Trouble(), unknown: !r.Istio.Readable(), existing: r.Istio.Of(key.Name),
		refused: func(namespace string) string { return r.Istio.Refused(namespace, key.Name) },
	}
	if key.Spec.Outputs != nil && key.Spec.Outputs.Istio != nil {
		m.output = key.Spec.Outputs.Istio
		m.selector, m.invalidSelector = metav1.LabelSelectorAsSelector(m.output.Selector)
	}
	return m
}

// addNamespace counts one namespace. file is the key set in its ConfigMap.
func (m *proxies) addNamespace(namespace string, of labels.Set, selected bool, file string) proxyKeys {
	k := proxyKeys{existing: m.existing[namespace], inSync: true}
	matches := m.output != nil && m.invalidSelector == nil && m.selector.Matches(of)
	switch {
	case matches && selected:
		m.wanted++
		k.unknown = m.unknown
		k.inSync = !m.unknown && (m.trouble == keywrightv1alpha1.ReasonIstioNotInstalled || k.existing.Is(m.output, file))
		if !k.inSync {
			m.behind = append(m.behind, namespace)
		}
	case k.existing == nil:
	case matches || m.output != nil && m.invalidSelector != nil:
		k.inSync = k.existing.KeySet() == file
	default:
		m.leaving = append(m.leaving, namespace)
	}
	return k
}

// lacks reports whether proxies may reject tokens of a key. Without a RequestAuthentication they reject none.
func (k *proxyKeys) lacks(id string, parsed publication.KeyIDs) bool {
	return k.unknown || k.existing != nil && !slices.Contains(parsed.Of(k.existing.KeySet()), id)
}

// istioDistributed returns the condition IstioDistributed, nil if no RequestAuthentication is requested or exists.
func (p *pass) istioDistributed() *metav1.Condition {
	m := &p.targets.proxies
	if m.output == nil && len(m.leaving) == 0 {
		return nil
	}
	ok, reason, message := m.state()
	c := report.Condition(keywrightv1alpha1.ConditionIstioDistributed, ok, reason, message)
	return &c
}

func (m *proxies) state() (ok bool, reason, message string) {
	switch m.trouble {
	case keywrightv1alpha1.ReasonIstioNotEnabled:
		return false, m.trouble, "the controller runs without --istio and writes no RequestAuthentications: set " +
			"outputs.istio.enabled in the values of the chart, or apply config/istio. Existing ones are not changed"
	case keywrightv1alpha1.ReasonIstioNotInstalled:
		return false, m.trouble, "the API server has no requestauthentications of security.istio.io/v1: install Istio 1.22 " +
			"or later. The controller detects it within a minute"
	case keywrightv1alpha1.ReasonIstioForbidden:
		return false, m.trouble, "the controller is not allowed to read RequestAuthentications: grant it the permissions of config/istio"
	case keywrightv1alpha1.ReasonIstioUnreachable:
		return false, m.trouble, "the controller cannot list RequestAuthentications: check the API server"
	}
	switch {
	case m.invalidSelector != nil:
		return false, keywrightv1alpha1.ReasonInvalidSelector, "outputs.istio.selector: " + m.invalidSelector.Error()
	case len(m.behind) > 0:
		return false, keywrightv1alpha1.ReasonTargetsBehind, fmt.Sprintf("%d namespaces do not have a RequestAuthentication with the current keys: %s%s",
			len(m.behind), report.Names(m.behind), m.why(m.behind))
	case len(m.leaving) > 0:
		return false, keywrightv1alpha1.ReasonTargetsBehind, fmt.Sprintf("%d namespaces still have a RequestAuthentication that is no longer requested: %s%s",
			len(m.leaving), report.Names(m.leaving), m.why(m.leaving))
	case m.wanted == 0:
		return true, keywrightv1alpha1.ReasonNoTargets, "outputs.istio.selector selects none of the namespaces that have the keys"
	default:
		return true, keywrightv1alpha1.ReasonInSync, fmt.Sprintf("all %d RequestAuthentications hold the current keys", m.wanted)
	}
}

// why returns the first refusal among the namespaces, as the end of a sentence.
func (m *proxies) why(namespaces []string) string {
	for _, namespace := range namespaces {
		if text := m.refused(namespace); text != "" {
			return ". In " + namespace + ": " + text
		}
	}
	return ""
}

// onProxies records changes of RequestAuthentications, and queues the SigningKeys that they belong to.
func (r *Reconciler) onProxies(ctx context.Context, q wiring.Queue) error {
	r.Istio.OnTrouble(func() {
		var keys keywrightv1alpha1.SigningKeyList
		if err := r.Client.List(ctx, &keys, client.UnsafeDisableDeepCopy); err != nil {
			return // no SigningKey was read yet
		}
		for i := range keys.Items {
			if keys.Items[i].Spec.Outputs != nil {
				q.AddAfter(wiring.Named(keys.Items[i].Name), wiring.Debounce)
			}
		}
	})
	return r.Istio.OnChange(func(c istio.Change) {
		changed := c.After
		if changed == nil {
			changed = c.Before
		}
		if c.Before != nil && c.After != nil {
			missed := c.After.Generation()-c.Before.Generation() > 1
			r.Published.ProxiesChanged(changed.SigningKey(), changed.Namespace(), c.Before.KeySet(), c.After.KeySet(), missed)
		}
		q.AddAfter(wiring.Named(changed.SigningKey()), wiring.Debounce)
	})
}
