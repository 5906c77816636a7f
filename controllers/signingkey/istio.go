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

// proxies is what Istio's proxies were given of one SigningKey: the RequestAuthentications that stand, and those that are asked for.
type proxies struct {
	// output is nil if the SigningKey asks for none.
	output          *keywrightv1alpha1.IstioOutput
	selector        labels.Selector
	invalidSelector error
	stands          map[string]*istio.RequestAuthentication
	// trouble is a reason of a condition why none can be written, empty if they can.
	trouble string
	// unknown is set while nobody knows what stands.
	unknown bool
	refused func(namespace string) string

	// wanted counts the namespaces that ask for one. behind are those of them whose RequestAuthentication is not as it should be, leaving the others that
	// still have one. Both are in the order in which they were looked at.
	wanted          int
	behind, leaving []string
}

// proxyKeys is what the proxies of one namespace hold.
type proxyKeys struct {
	stands *istio.RequestAuthentication
	inSync bool
	// unknown is set while they may hold anything.
	unknown bool
}

// observeProxies reads what the watch of RequestAuthentications shows. It asks nobody.
func (r *Reconciler) observeProxies(key *keywrightv1alpha1.SigningKey) proxies {
	m := proxies{
		trouble: r.Istio.Trouble(), unknown: !r.Istio.Readable(), stands: r.Istio.Of(key.Name),
		refused: func(namespace string) string { return r.Istio.Refused(namespace, key.Name) },
	}
	if key.Spec.Outputs != nil && key.Spec.Outputs.Istio != nil {
		m.output = key.Spec.Outputs.Istio
		m.selector, m.invalidSelector = metav1.LabelSelectorAsSelector(m.output.Selector)
	}
	return m
}

// look counts one namespace. file is the key set that its ConfigMap holds.
func (m *proxies) look(namespace string, of labels.Set, selected bool, file string) proxyKeys {
	k := proxyKeys{stands: m.stands[namespace], inSync: true}
	asks := m.output != nil && m.invalidSelector == nil && m.selector.Matches(of)
	switch {
	case asks && selected:
		m.wanted++
		k.unknown = m.unknown
		k.inSync = !m.unknown && (m.trouble == keywrightv1alpha1.ReasonIstioNotInstalled || k.stands.Is(m.output, file))
		if !k.inSync {
			m.behind = append(m.behind, namespace)
		}
	case k.stands == nil:
	case asks || m.output != nil && m.invalidSelector != nil:
		k.inSync = k.stands.KeySet() == file
	default:
		m.leaving = append(m.leaving, namespace)
	}
	return k
}

// lacks reports whether proxies may refuse what a key signs. Without a RequestAuthentication they refuse nothing.
func (k *proxyKeys) lacks(id string, parsed publication.KeyIDs) bool {
	return k.unknown || k.stands != nil && !slices.Contains(parsed.Of(k.stands.KeySet()), id)
}

// istioDistributed says whether Istio's proxies are given the keys. It is nil if nobody asks for that, and none has them.
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

// why is the first refusal among namespaces, as the end of a sentence.
func (m *proxies) why(namespaces []string) string {
	for _, namespace := range namespaces {
		if text := m.refused(namespace); text != "" {
			return ". In " + namespace + ": " + text
		}
	}
	return ""
}

// onProxies notes what proxies come to hold, and wakes the SigningKeys that this matters to.
func (r *Reconciler) onProxies(ctx context.Context, q wiring.Queue) error {
	r.Istio.OnTrouble(func() {
		var keys keywrightv1alpha1.SigningKeyList
		if err := r.Client.List(ctx, &keys, client.UnsafeDisableDeepCopy); err != nil {
			return // without a cache nothing is known that a change could matter to
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
