package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// mount plays the kubelet for one volume: it writes a ConfigMap or a Secret into a directory as a kubelet does, into a
// version of its own that a link is then swapped to, and lags behind the API as a kubelet does.
type mount struct {
	client    client.Client
	object    client.Object
	directory string
	// lag is the longest time between two looks. Each is at a random moment.
	lag time.Duration

	versions int
	written  map[string][]byte
}

// first waits until the object exists and is written: a pod does not start before (optional: false).
func (m *mount) first(ctx context.Context) error {
	for m.written == nil {
		if err := m.sync(ctx); err != nil {
			return err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// follow keeps the directory up to date until the context ends.
func (m *mount) follow(ctx context.Context) {
	for {
		if pause(ctx, time.Duration(rand.Int64N(int64(m.lag)))) != nil {
			return
		}
		_ = m.sync(ctx) // as a kubelet: try again at the next look
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
	if m.written != nil && maps.EqualFunc(files, m.written, func(a, b []byte) bool { return string(a) == string(b) }) {
		return nil
	}
	return m.write(files)
}

// write swaps the ..data link to a new version, then links the files and removes the ones that are gone.
func (m *mount) write(files map[string][]byte) error {
	old := fmt.Sprintf("..version-%d", m.versions)
	m.versions++
	version := fmt.Sprintf("..version-%d", m.versions)
	if err := os.MkdirAll(filepath.Join(m.directory, version), 0o755); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(m.directory, version, name), content, 0o600); err != nil {
			return err
		}
	}
	next := filepath.Join(m.directory, "..data_tmp")
	if err := os.Symlink(version, next); err != nil {
		return err
	}
	if err := os.Rename(next, filepath.Join(m.directory, "..data")); err != nil {
		return err
	}
	for name := range files {
		link := filepath.Join(m.directory, name)
		if _, err := os.Lstat(link); err == nil {
			continue
		}
		if err := os.Symlink(filepath.Join("..data", name), link); err != nil {
			return err
		}
	}
	for name := range m.written {
		if _, stays := files[name]; !stays {
			_ = os.Remove(filepath.Join(m.directory, name))
		}
	}
	m.written = files
	return os.RemoveAll(filepath.Join(m.directory, old))
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
