package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/hack/demo/traffic"
)

// The times of the demo: a rotation is fast enough to watch, and all the rules of the real thing hold.
const (
	interval         = 9 * time.Second
	propagationDelay = 3 * time.Second
	maxLifetime      = 4 * time.Second
	clockSkew        = time.Second
	// refreshLifetime is short, so that the keys of refresh tokens are also removed meanwhile.
	refreshLifetime = 15 * time.Second
	// sessionRotations is how many rotations of everything somebody stays logged in for.
	sessionRotations = 10
)

// signingKey is what an admin would apply.
func signingKey() *keywrightv1alpha1.SigningKey {
	of := func(d time.Duration) metav1.Duration { return metav1.Duration{Duration: d} }
	return &keywrightv1alpha1.SigningKey{
		ObjectMeta: metav1.ObjectMeta{Name: keyName},
		Spec: keywrightv1alpha1.SigningKeySpec{
			Rotation: keywrightv1alpha1.Rotation{Interval: of(interval)},
			Sessions: &keywrightv1alpha1.Sessions{MaxRefreshLifetime: of(refreshLifetime), MaxSessionLifetime: of(time.Hour)},
			Token:    keywrightv1alpha1.Token{MaxLifetime: of(maxLifetime), ClockSkew: of(clockSkew)},
			Distribution: keywrightv1alpha1.Distribution{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{trusts: "true"}},
				PropagationDelay:  of(propagationDelay),
			},
		},
	}
}

// story is what happens to the system while tokens are issued and verified.
type story struct {
	*chronicle
	ledger     *traffic.Ledger
	controller *process
	issuer     *process
	bob        *person
	session    *session
	// sessionSince is the number of rotations before the session, and sessionEnds has why it ended.
	sessionSince int
	sessionEnds  chan error
}

// act runs the story once: each act after the next rotation.
func (s *story) act(ctx context.Context) error {
	if err := s.stayLoggedIn(ctx); err != nil {
		return err
	}
	for _, next := range []func(context.Context) error{s.killController, s.killIssuer, s.revoke, s.request, s.endTokens} {
		if err := s.nextRotation(ctx); err != nil {
			return err
		}
		if err := errors.Join(next(ctx), s.sessionGoesOn()); err != nil {
			return err
		}
	}
	return s.throwOut(ctx, sessionRotations)
}

func (s *story) nextRotation(ctx context.Context) error {
	_, so, _ := s.state()
	return s.until(ctx, "the next rotation", func(_ *keywrightv1alpha1.SigningKey, rotations int) bool { return rotations > so })
}

func (s *story) killController(ctx context.Context) error {
	s.record("the controller is killed: tokens are still issued and verified")
	s.controller.kill()
	if err := pause(ctx, 3*time.Second); err != nil {
		return err
	}
	s.record("the controller starts again")
	return s.controller.start()
}

func (s *story) killIssuer(ctx context.Context) error {
	s.record("one issuer is killed: the other one issues")
	s.issuer.kill()
	if err := pause(ctx, 3*time.Second); err != nil {
		return err
	}
	s.record("the issuer starts again")
	return s.issuer.start()
}

// revoke revokes the key that signs, once the next one has been published long enough that everybody knows it.
func (s *story) revoke(ctx context.Context) error {
	if err := s.standbyIsKnown(ctx); err != nil {
		return err
	}
	key, _, _ := s.state()
	kid := key.Status.ActiveKeyID
	s.ledger.Revoke(kid)
	s.record("key %.8s is revoked: its tokens are rejected, the next key signs at once, sessions continue", kid)
	return s.admin.Create(ctx, &keywrightv1alpha1.Revocation{
		ObjectMeta: metav1.ObjectMeta{GenerateName: keyName + "-"},
		Spec:       keywrightv1alpha1.RevocationSpec{SigningKey: keyName, KeyID: kid, KeepSessions: true},
	})
}

func (s *story) request(ctx context.Context) error {
	if err := s.standbyIsKnown(ctx); err != nil {
		return err
	}
	s.record("a rotation is requested with the annotation %s", contract.RotateAnnotation)
	return s.change(ctx, func(key *keywrightv1alpha1.SigningKey) {
		if key.Annotations == nil {
			key.Annotations = map[string]string{}
		}
		key.Annotations[contract.RotateAnnotation] = time.Now().UTC().Format(time.RFC3339)
	})
}

func (s *story) standbyIsKnown(ctx context.Context) error {
	return s.until(ctx, "a Standby that is known everywhere", func(key *keywrightv1alpha1.SigningKey, _ int) bool {
		for _, k := range key.Status.Keys {
			if k.State == "Standby" && k.PublishedAt != nil {
				return time.Since(k.PublishedAt.Time) > propagationDelay+clockSkew+time.Second
			}
		}
		return false
	})
}

func (s *story) change(ctx context.Context, edit func(*keywrightv1alpha1.SigningKey)) error {
	var key keywrightv1alpha1.SigningKey
	if err := s.admin.Get(ctx, client.ObjectKey{Name: keyName}, &key); err != nil {
		return err
	}
	before := key.DeepCopy()
	edit(&key)
	return s.admin.Patch(ctx, &key, client.MergeFrom(before))
}

// mounts are the volumes of the pods that the demo plays.
func mounts(c client.Client, directory string) map[string][]*mount {
	all := map[string][]*mount{}
	add := func(pod, volume string, object client.Object, namespace, name string) {
		object.SetNamespace(namespace)
		object.SetName(name)
		all[pod] = append(all[pod], &mount{client: c, object: object, directory: filepath.Join(directory, pod, volume)})
	}
	for _, service := range []string{"shop", "warehouse"} {
		add(service, "keys", &corev1.ConfigMap{}, service, contract.JWKSConfigMap)
	}
	for _, issuer := range []string{"issuer-1", "issuer-2"} {
		add(issuer, "keys", &corev1.Secret{}, keyNamespace, keyName+contract.SigningKeySuffix)
		add(issuer, "key-sets", &corev1.ConfigMap{}, keyNamespace, contract.JWKSConfigMap)
	}
	return all
}
