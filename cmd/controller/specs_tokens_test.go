package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/issuer/keys"
	"github.com/keywright/keywright/verifier"
)

const (
	specsIssuer   = "https://issuer.example.com"
	specsAudience = "https://shop.example.com"
)

// token is a token that a verifier must accept until it expires.
type token struct {
	compact, kid string
	expires      time.Time
	// known are the resource versions since which the files of namespaces had its key. It has no namespace that the
	// SigningKey did not select when the token was signed.
	known map[string]uint64
}

// tokens are the tokens of one SigningKey, and the states of the files that services verify them with.
type tokens struct {
	name, directory string

	mu      sync.Mutex
	all     []token
	revoked map[string]bool
	// verified is the file with which the tokens were last verified, by namespace.
	verified map[string]string
	// signed is the number of dropped tokens.
	signed int
	lost   []string
}

// sign signs a token like an issuer with the Secret. files are the ConfigMaps of the namespaces that trust the key,
// read after the Secret.
func (k *tokens) sign(ctx context.Context, secret *corev1.Secret, files []corev1.ConfigMap) error {
	decoded, err := issuerfiles.Decode(secret.Data)
	if err != nil {
		return err
	}
	snapshot, err := keys.Parse(decoded, issuerfiles.Revoked{})
	if err != nil {
		return err
	}
	if !snapshot.Signs() {
		return errors.New("the issuers sign nothing: " + snapshot.Stopped)
	}
	now := time.Now()
	t := token{kid: snapshot.KeyID, expires: now.Add(snapshot.MaxLifetime).Truncate(time.Second), known: map[string]uint64{}}
	payload, err := json.Marshal(map[string]any{
		"iss": specsIssuer, "aud": specsAudience, "sub": "a", "client_id": "b", "jti": "c", "iat": now.Unix(), "exp": t.expires.Unix(),
	})
	if err != nil {
		return err
	}
	if t.compact, err = snapshot.Sign(payload); err != nil {
		return err
	}
	for i := range files {
		if t.known[files[i].Namespace], err = strconv.ParseUint(files[i].ResourceVersion, 10, 64); err != nil {
			return err
		}
	}
	k.mu.Lock()
	k.all = append(k.all, t)
	k.mu.Unlock()
	for i := range files {
		k.see(ctx, &files[i])
	}
	return nil
}

// exclude allows that tokens of keys are rejected from now on. The result reverts that for keys that were not revoked
// before.
func (k *tokens) exclude(kids []string) (undo func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	kids = slices.DeleteFunc(slices.Clone(kids), func(kid string) bool { return k.revoked[kid] })
	for _, kid := range kids {
		k.revoked[kid] = true
	}
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, kid := range kids {
			delete(k.revoked, kid)
		}
	}
}

func (k *tokens) everRevoked() map[string]bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.revoked)
}

// follow verifies all tokens with each state of a file.
func (k *tokens) follow(ctx context.Context, w watch.Interface) {
	for event := range w.ResultChan() {
		if cm, is := event.Object.(*corev1.ConfigMap); is {
			if event.Type == watch.Deleted {
				cm.Data = nil
			}
			k.see(ctx, cm)
		}
	}
}

// see verifies all tokens with the file of a ConfigMap.
func (k *tokens) see(ctx context.Context, cm *corev1.ConfigMap) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.verify(ctx, cm); err != nil {
		k.lost = append(k.lost, err.Error())
	}
}

func (k *tokens) verify(ctx context.Context, cm *corev1.ConfigMap) error {
	version, err := strconv.ParseUint(cm.ResourceVersion, 10, 64)
	if err != nil {
		return err
	}
	var live []token
	for _, t := range k.all {
		since, trusted := t.known[cm.Namespace]
		if trusted && since <= version && !k.revoked[t.kid] && time.Until(t.expires) > time.Second {
			live = append(live, t)
		}
	}
	content := cm.Data[k.name+contract.JWKSSuffix]
	state := fmt.Sprintf("%d %s", len(k.all), content)
	if len(live) == 0 || k.verified[cm.Namespace] == state {
		return nil
	}
	k.verified[cm.Namespace] = state
	if err := verifyAll(ctx, filepath.Join(k.directory, cm.Namespace+".json"), content, live); err != nil {
		return fmt.Errorf("a live token is rejected with the file of %s at resource version %d: %w", cm.Namespace, version, err)
	}
	return nil
}

// verifyAll verifies tokens like a service with the file.
func verifyAll(ctx context.Context, path, content string, live []token) error {
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return err
	}
	v, err := verifier.New(verifier.Config{
		Issuers: map[string]verifier.Source{specsIssuer: verifier.File(path)}, Audience: specsAudience, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, content)
	}
	defer v.Close()
	for _, t := range live {
		if _, err := v.Verify(ctx, t.compact); err != nil {
			return fmt.Errorf("key %s, expires in %v: %w\n%s", t.kid, time.Until(t.expires).Round(time.Second), err, content)
		}
	}
	return nil
}

// complaints returns the rejected tokens so far.
func (k *tokens) complaints() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.lost) == 0 {
		return nil
	}
	return errors.New(k.lost[0])
}

// end drops all tokens, which may be rejected from now on.
func (k *tokens) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.signed, k.all = k.signed+len(k.all), nil
}
