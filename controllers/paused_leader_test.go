package controllers

import (
	"context"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// A controller that was paused while another one was the leader must not write an old state.
func TestPausedLeaderBringsNothingBack(t *testing.T) {
	for _, stands := range []string{"the newer file", "a newer file without its record", "no ConfigMap"} {
		t.Run(stands, func(t *testing.T) {
			w := newWorld(t)
			w.signingKey()
			w.settle()
			first := w.signs()
			paused := w.files
			w.restart()
			w.change(func(key *keywrightv1alpha1.SigningKey) { key.Spec.RevokedKeyIDs = []string{first} })
			w.step(time.Minute)
			if slices.Contains(w.trusted(w.targets[0]), first) {
				t.Fatal("the revocation was not written")
			}
			cm := w.configMap(w.targets[0])
			switch stands {
			case "no ConfigMap":
				w.must(w.Delete(t.Context(), cm))
			case "a newer file without its record":
				cm.Annotations = nil
				w.must(w.Update(t.Context(), cm))
			}
			w.files = paused
			w.reconcileFile(w.targets[0])
			if got := w.trusted(w.targets[0]); slices.Contains(got, first) || len(got) != 2 {
				t.Errorf("the paused leader left %v", got)
			}
		})
	}
}

// A delayed reconciliation hands over an old state while another one reads the current one: neither may restore a
// revoked key.
func TestOldReadingThatOvertakesANewOneBringsNothingBack(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	first := w.signs()
	paused := w.files
	old, _ := paused.Projections.Get(w.name)
	w.restart()
	w.change(func(key *keywrightv1alpha1.SigningKey) { key.Spec.RevokedKeyIDs = []string{first} })
	w.step(time.Minute)
	paused.Quorum.API = overtaken{paused.Quorum.API, func() {
		old.Confirmed = old.Confirmed.Add(time.Second)
		paused.Projections.Set(w.name, old)
	}}
	w.files = paused
	w.reconcileFile(w.targets[0])
	if got := w.trusted(w.targets[0]); slices.Contains(got, first) || len(got) != 2 {
		t.Errorf("the old reading left %v", got)
	}
}

// overtaken calls a function after each read.
type overtaken struct {
	client.Reader
	then func()
}

func (o overtaken) Get(ctx context.Context, key client.ObjectKey, into client.Object, opts ...client.GetOption) error {
	defer o.then()
	return o.Reader.Get(ctx, key, into, opts...)
}

// A paused controller has an old spec: it must not end the trust of a namespace because of it.
func TestPausedLeaderWritesNoTombstone(t *testing.T) {
	nobody := &metav1.LabelSelector{MatchLabels: map[string]string{"trusts": "nobody"}}
	for name, meanwhile := range map[string]func(*keywrightv1alpha1.SigningKey){
		"selected again": func(key *keywrightv1alpha1.SigningKey) {
			key.Spec.Distribution.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"trusts": key.Name}}
		},
		"tokens that live longer": func(key *keywrightv1alpha1.SigningKey) {
			key.Spec.Token.MaxLifetime.Duration, key.Spec.Rotation.Interval.Duration = time.Hour, 24*time.Hour
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signingKey()
			w.settle()
			target := w.targets[0]
			w.change(func(key *keywrightv1alpha1.SigningKey) { key.Spec.Distribution.NamespaceSelector = nobody })
			w.settle()
			w.clock.step(30 * time.Minute)
			w.change(meanwhile)
			w.reconcileFile(target)
			if len(w.trusted(target)) != 2 {
				t.Errorf("the paused leader left %s", w.configMap(target).Data[w.name+contract.JWKSSuffix])
			}
		})
	}
}
