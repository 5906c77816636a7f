package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

const pollSpecs = 50 * time.Millisecond

// sight has the objects of one SigningKey in the API server at one time.
type sight struct {
	key    keywrightv1alpha1.SigningKey
	secret corev1.Secret
	// files are the ConfigMaps, by namespace, read after the Secret.
	files map[string]corev1.ConfigMap
	// selected are the namespaces that the selector selects, and the key namespace. If the CRD accepts an invalid
	// selector, for which notASelector is the reason, they are those that the last valid one selected.
	selected     []string
	notASelector error
	// revoked are the keys that any spec so far has revoked, since removing one from the spec does not restore it.
	revoked map[string]bool
}

func (s *sequence) look(ctx context.Context) (*sight, error) {
	g := &sight{files: map[string]corev1.ConfigMap{}, revoked: s.tokens.everRevoked()}
	if err := s.api.Get(ctx, client.ObjectKey{Name: s.name}, &g.key); err != nil {
		return nil, err
	}
	secret := client.ObjectKey{Namespace: keyNamespace, Name: s.name + contract.SigningKeySuffix}
	if err := client.IgnoreNotFound(s.api.Get(ctx, secret, &g.secret)); err != nil {
		return nil, err
	}
	var namespaces corev1.NamespaceList
	var files corev1.ConfigMapList
	if err := errors.Join(s.api.List(ctx, &namespaces), s.api.List(ctx, &files, client.MatchingFields{"metadata.name": contract.JWKSConfigMap})); err != nil {
		return nil, err
	}
	for _, cm := range files.Items {
		g.files[cm.Namespace] = cm
	}
	var selector labels.Selector
	selector, g.notASelector = metav1.LabelSelectorAsSelector(g.key.Spec.Distribution.NamespaceSelector)
	for _, ns := range namespaces.Items {
		if g.notASelector == nil && (ns.Name == keyNamespace || selector.Matches(labels.Set(ns.Labels))) {
			g.selected = append(g.selected, ns.Name)
		}
	}
	if g.notASelector != nil {
		g.selected = s.selected
	}
	return g, nil
}

// trusting returns the files of the namespaces that trust the key.
func (g *sight) trusting() (all []corev1.ConfigMap) {
	for _, namespace := range g.selected {
		all = append(all, g.files[namespace])
	}
	return all
}

// wrong returns an error for a difference between the objects and the spec.
func (g *sight) wrong() error {
	status := &g.key.Status
	if status.ObservedGeneration != g.key.Generation {
		return fmt.Errorf("observedGeneration is %d, and the generation %d", status.ObservedGeneration, g.key.Generation)
	}
	want := map[string]string{keywrightv1alpha1.ConditionReady: "True Signing", keywrightv1alpha1.ConditionDistributed: "True InSync"}
	switch {
	case g.notASelector != nil:
		want[keywrightv1alpha1.ConditionDistributed] = "False InvalidSelector"
	case len(g.selected) == 1 && status.Targets.Selected == 1:
		want[keywrightv1alpha1.ConditionDistributed] = "True NoTargets"
	}
	for kind, want := range want {
		c := meta.FindStatusCondition(status.Conditions, kind)
		if c == nil || string(c.Status)+" "+c.Reason != want || c.ObservedGeneration != g.key.Generation {
			return fmt.Errorf("want %s %s, got %+v", kind, want, c)
		}
	}
	if c := meta.FindStatusCondition(status.Conditions, keywrightv1alpha1.ConditionStalled); c != nil {
		return fmt.Errorf("stalled: %+v", c)
	}
	if g.notASelector == nil && int(status.Targets.Selected) != len(g.selected) {
		return fmt.Errorf("%d namespaces are selected, and the status says %d", len(g.selected), status.Targets.Selected)
	}
	return errors.Join(g.wrongSecret(), g.wrongFiles())
}

func (g *sight) wrongSecret() error {
	files, err := issuerfiles.Decode(g.secret.Data)
	if err != nil {
		return err
	}
	switch kid := issuerfiles.KeyID(files.Active); {
	case kid == "" || kid != g.key.Status.ActiveKeyID:
		return fmt.Errorf("key %q signs, and the status says %q", kid, g.key.Status.ActiveKeyID)
	case g.revoked[kid]:
		return fmt.Errorf("the revoked key %s signs", kid)
	case files.Policy.MaxLifetime != g.key.Spec.Token.MaxLifetime.Truncate(time.Second): // exp and iat are seconds
		return fmt.Errorf("issuers sign for %v", files.Policy.MaxLifetime)
	case files.Policy.ClockSkew != g.key.Spec.Token.ClockSkew.Truncate(time.Second):
		return fmt.Errorf("issuers are told a clock skew of %v", files.Policy.ClockSkew)
	}
	return g.wrongKeys("the Secret", files.KeySet)
}

func (g *sight) wrongFiles() error {
	for _, namespace := range g.selected {
		cm := g.files[namespace]
		if err := g.wrongKeys("namespace "+namespace, []byte(cm.Data[g.key.Name+contract.JWKSSuffix])); err != nil {
			return err
		}
	}
	for namespace, cm := range g.files {
		for _, kid := range issuerfiles.KeyIDs([]byte(cm.Data[g.key.Name+contract.JWKSSuffix])) {
			if g.revoked[kid] {
				return fmt.Errorf("namespace %s trusts the revoked key %s", namespace, kid)
			}
		}
	}
	return nil
}

// wrongKeys returns an error if a key set differs from the status.
func (g *sight) wrongKeys(where string, jwks []byte) error {
	var want []string
	for _, k := range g.key.Status.Keys {
		want = append(want, k.KeyID)
	}
	got := issuerfiles.KeyIDs(jwks)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s holds the keys %v, and the status has %v", where, got, want)
	}
	return nil
}

// untouched checks that a refused spec had no effect.
func (g *sight) untouched(after *sight) error {
	if g.key.Generation != after.key.Generation || !equality.Semantic.DeepEqual(g.key.Spec, after.key.Spec) {
		return fmt.Errorf("a spec that was refused changed the SigningKey from %+v to %+v", g.key.Spec, after.key.Spec)
	}
	settled := g.wrong() == nil && after.wrong() == nil
	if !settled || g.key.Status.KeyringGeneration != after.key.Status.KeyringGeneration {
		return nil // scheduled rotations may change keys meanwhile
	}
	name := g.key.Name + contract.JWKSSuffix
	for namespace, cm := range g.files {
		if was, is := cm.Data[name], after.files[namespace].Data[name]; was != is && slices.Contains(g.selected, namespace) {
			return fmt.Errorf("a spec that was refused changed the file of %s from %s to %s", namespace, was, is)
		}
	}
	return nil
}

// same checks that nothing changed except keys.
func (g *sight) same(after *sight) error {
	if !equality.Semantic.DeepEqual(g.key.Spec, after.key.Spec) {
		return fmt.Errorf("the first spec was given again, and is %+v instead of %+v", after.key.Spec, g.key.Spec)
	}
	if !slices.Equal(g.selected, after.selected) {
		return fmt.Errorf("the first spec was given again, and selects %v instead of %v", after.selected, g.selected)
	}
	return nil
}
