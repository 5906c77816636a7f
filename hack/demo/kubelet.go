package main

import (
	"context"
	"maps"
	"math/rand/v2"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/verifier/verifiertest"
)

// mount plays the kubelet for one volume: it writes a ConfigMap or a Secret into a directory as a kubelet does, into a
// version of its own that a link is then swapped to, and lags behind the API as a kubelet does.
type mount struct {
	client    client.Client
	object    client.Object
	directory string

	volume verifiertest.Volume
	ready  bool
}

// first waits until the object exists and is written: a pod does not start before (optional: false).
func (m *mount) first(ctx context.Context) error {
	for !m.ready {
		if err := m.sync(ctx); err != nil {
			return err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// follow keeps the volumes of one pod up to date until the context ends. Like a kubelet, it looks at all of them when it looks at the pod: a
// revocation list does not come a second before the Secret that goes with it.
func follow(ctx context.Context, volumes []*mount, lag time.Duration) {
	for {
		if pause(ctx, time.Duration(rand.Int64N(int64(lag)))) != nil {
			return
		}
		for _, m := range volumes {
			_ = m.sync(ctx) // as a kubelet: try again at the next look
		}
	}
}

// sync writes what the object holds now, if it is not what was written last. An object that is gone leaves its files.
func (m *mount) sync(ctx context.Context) error {
	err := m.client.Get(ctx, client.ObjectKeyFromObject(m.object), m.object)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return err
	}
	files := map[string][]byte{}
	switch o := m.object.(type) {
	case *corev1.Secret:
		maps.Copy(files, o.Data)
	case *corev1.ConfigMap:
		for name, content := range o.Data {
			files[name] = []byte(content)
		}
	}
	if err := os.MkdirAll(m.directory, 0o700); err != nil {
		return err
	}
	m.volume.Directory, m.ready = m.directory, true
	return m.volume.Write(files)
}

// pause waits, or returns why it did not.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
