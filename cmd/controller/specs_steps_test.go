package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// proposal is a spec to apply, with its changes.
type proposal struct {
	spec    map[string]any
	changes []change
}

func (p *proposal) has(v verdict) bool {
	return slices.ContainsFunc(p.changes, func(c change) bool { return c.verdict == v })
}

// kids are the keys that it revokes.
func (p *proposal) kids() (all []string) {
	list, _ := p.spec["revokedKeyIDs"].([]any)
	for _, kid := range list {
		if text, is := kid.(string); is {
			all = append(all, text)
		}
	}
	return all
}

func (s *sequence) object(spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "keywright.dev/v1alpha1", "kind": "SigningKey", "metadata": map[string]any{"name": s.name}, "spec": spec,
	}}
}

// send sends a spec to the API server.
func (s *sequence) send(ctx context.Context, spec map[string]any) error {
	o := s.object(spec)
	if s.serverSide {
		return s.api.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), client.FieldOwner("specs"), client.ForceOwnership)
	}
	for {
		current := s.object(nil)
		if err := s.api.Get(ctx, client.ObjectKey{Name: s.name}, current); err != nil {
			return err
		}
		current.Object["spec"] = spec
		if err := s.api.Update(ctx, current); !apierrors.IsConflict(err) { // the controller has written the status meanwhile
			return err
		}
	}
}

func (s *sequence) create(ctx context.Context, spec map[string]any) error {
	s.steps = append(s.steps, s.tell(proposal{spec: spec}))
	s.asked = normal(spec)
	var err error
	if s.serverSide {
		err = s.send(ctx, s.asked)
	} else {
		err = s.api.Create(ctx, s.object(s.asked))
	}
	if err != nil {
		return err
	}
	return s.converge(ctx)
}

// try sends a spec, and checks its effect.
func (s *sequence) try(ctx context.Context, p proposal) error {
	s.steps = append(s.steps, s.tell(p))
	before, err := s.look(ctx)
	if err != nil {
		return err
	}
	undo := s.tokens.exclude(p.kids())
	if err := s.send(ctx, p.spec); err != nil {
		undo()
		s.refused++
		s.steps = append(s.steps, "  refused: "+err.Error()+"\n")
		return errors.Join(s.refusal(p, err), s.remains(ctx, before))
	}
	s.accepted++
	if p.has(invalid) {
		return errors.New("a spec that is not valid was accepted")
	}
	s.asked = p.spec
	return s.converge(ctx)
}

// remains checks that a refused spec had no effect.
func (s *sequence) remains(ctx context.Context, before *sight) error {
	if err := s.converge(ctx); err != nil {
		return err
	}
	after, err := s.look(ctx)
	if err != nil {
		return err
	}
	return before.untouched(after)
}

// rules are the rules of the CRD about several fields: a part of the message, and the field that it names.
var rules = map[string]string{
	"must be at least distribution.propagationDelay": "spec.rotation.interval",
	"is for RS256, RS384 and RS512 only":             "spec.rsaKeySize",
	"may not change the key type":                    "spec.algorithm",
	"must be at least maxRefreshLifetime":            "spec.sessions.maxSessionLifetime",
	"caConfigMap.name: Required value":               "spec.distribution.caConfigMap.name", // if a step sets only the key
}

// refusal checks that an error names a field that is wrong.
func (s *sequence) refusal(p proposal, err error) error {
	// The API server returns this for an apply with a wrong type, before it validates the schema.
	untyped := s.serverSide && strings.Contains(err.Error(), "failed to create typed patch object")
	if !apierrors.IsInvalid(err) && !untyped {
		return fmt.Errorf("refused otherwise than as Invalid: %w", err)
	}
	for _, c := range p.changes {
		path := c.path
		if s.serverSide && c.removed { // an object without fields is null there, and is itself named
			path = path[:1]
		}
		if c.verdict != valid && strings.Contains(err.Error(), "spec."+strings.Join(path, ".")) {
			return nil
		}
	}
	for says, names := range rules {
		if strings.Contains(err.Error(), says) && strings.Contains(err.Error(), names) && !p.has(invalid) {
			return nil
		}
	}
	return fmt.Errorf("the refusal names no field that is wrong: %w", err)
}

// converge waits until the objects are as the spec says, and then signs a token.
func (s *sequence) converge(ctx context.Context) error {
	var wrong error
	err := wait.PollUntilContextTimeout(ctx, pollSpecs, specsConverge, true, func(ctx context.Context) (bool, error) {
		if s.controller.ended() {
			return false, errors.New("the controller has ended")
		}
		var seen *sight
		if seen, wrong = s.look(ctx); wrong == nil {
			wrong = seen.wrong()
		}
		if wrong == nil {
			wrong = s.tokens.sign(ctx, &seen.secret, seen.trusting())
			s.selected = seen.selected
		}
		return wrong == nil, s.tokens.complaints()
	})
	if err != nil {
		return errors.Join(err, wrong)
	}
	return nil
}

// delete deletes the SigningKey with the policy Delete.
func (s *sequence) delete(ctx context.Context) error {
	if strings.Contains(s.controller.said(), "panic") {
		return errors.New("the controller panicked")
	}
	s.tokens.end()
	key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: s.name}}
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"deletionPolicy":"Delete"}}`))
	if err := errors.Join(s.api.Patch(ctx, key, patch), s.api.Delete(ctx, key)); err != nil {
		return err
	}
	err := wait.PollUntilContextTimeout(ctx, pollSpecs, specsConverge, true, func(ctx context.Context) (bool, error) {
		err := s.api.Get(ctx, client.ObjectKeyFromObject(key), key)
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
	if err != nil {
		return fmt.Errorf("deleted, and still there: %w: %v", err, key.Status.Conditions)
	}
	return nil
}

// tell writes a step as a diff of YAML.
func (s *sequence) tell(p proposal) string {
	if p.changes == nil {
		return "- spec: " + text(p.spec) + "\n"
	}
	var b strings.Builder
	b.WriteString("- change:\n")
	for _, c := range p.changes {
		path := strings.Join(c.path, ".")
		if was, there, _ := unstructured.NestedFieldNoCopy(s.asked, c.path...); there {
			fmt.Fprintf(&b, "  -   %s: %s\n", path, text(was))
		}
		if !c.removed {
			fmt.Fprintf(&b, "  +   %s: %s\n", path, text(c.value))
		}
	}
	return b.String()
}

// text returns a value as YAML on one line.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%.300s", b)
}
