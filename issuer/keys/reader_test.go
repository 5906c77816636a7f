package keys_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/issuer/keys"
	"github.com/keywright/keywright/issuer/reload"
)

// A revocation stops a key also while the files of the Secret cannot be read, or are not all there.
func TestRevocationCountsWhileTheSecretCannotBeRead(t *testing.T) {
	data, err := files(t, "ES256", generate(t, "ES256")).Encode()
	if err != nil {
		t.Fatal(err)
	}
	kid := issuerfiles.KeyID(data["active.jwk"])
	revoked := issuerfiles.Revoked{KeyIDs: []string{kid}}.Encode()
	for name, spoil := range map[string]func(directory string) error{
		"a policy that this version does not know": func(d string) error { return os.WriteFile(filepath.Join(d, "policy.json"), []byte("{}"), 0o600) },
		"no policy":  func(d string) error { return os.Remove(filepath.Join(d, "policy.json")) },
		"no key set": func(d string) error { return os.Remove(filepath.Join(d, "jwks.json")) },
	} {
		for _, list := range []string{"the list of the key namespace", "the list of the Secret"} {
			if list == "the list of the Secret" && name != "a policy that this version does not know" {
				continue // files that are not all there are not looked into
			}
			t.Run(name+", "+list, func(t *testing.T) {
				directory, keySets := t.TempDir(), t.TempDir()
				write := func(directory, file string, content []byte) {
					t.Helper()
					if err := os.WriteFile(filepath.Join(directory, file), content, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				for file, content := range data {
					write(directory, file, content)
				}
				write(keySets, "p.revoked", []byte(`{"version":9}`))
				r := &keys.Reader{Directory: directory, KeySetDirectory: keySets}
				if s, err := r.Load(); s == nil || !s.Signs() || !errors.Is(err, reload.ErrDegraded) {
					t.Fatalf("%+v %v", s, err)
				}
				if err := spoil(directory); err != nil {
					t.Fatal(err)
				}
				if s, err := r.Load(); s != nil || err == nil || errors.Is(err, reload.ErrDegraded) {
					t.Fatalf("the last one does not go on: %+v %v", s, err)
				}
				if list == "the list of the Secret" {
					write(directory, "revoked", revoked)
				} else {
					write(keySets, "p.revoked", revoked)
				}
				s, err := r.Load()
				if s == nil || s.Signs() || !errors.Is(err, reload.ErrDegraded) {
					t.Fatalf("the revoked key signs on: %+v %v", s, err)
				}
				if slices.Contains(issuerfiles.KeyIDs(s.JWKS), kid) {
					t.Error("the revoked key is served")
				}
			})
		}
	}
}

// A key that has left the key set that services read stops also while the files of the Secret cannot be read.
func TestRemovedKeyStopsSigningWhileTheSecretCannotBeRead(t *testing.T) {
	data, err := files(t, "ES256", generate(t, "ES256")).Encode()
	if err != nil {
		t.Fatal(err)
	}
	directory, keySets := t.TempDir(), t.TempDir()
	write := func(directory, file string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(directory, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for file, content := range data {
		write(directory, file, content)
	}
	write(keySets, "p.json", data["jwks.json"])
	r := &keys.Reader{Directory: directory, KeySetDirectory: keySets}
	if s, err := r.Load(); err != nil || !s.Signs() {
		t.Fatalf("%+v %v", s, err)
	}
	write(directory, "policy.json", []byte("{}"))
	if s, err := r.Load(); s != nil || err == nil {
		t.Fatalf("the last one does not go on: %+v %v", s, err)
	}
	write(keySets, "p.json", issuerfiles.Tombstone("ES256"))
	if s, err := r.Load(); s == nil || s.Signs() || !errors.Is(err, reload.ErrDegraded) {
		t.Errorf("it signs on: %+v %v", s, err)
	}
}

// A tombstone is removed some day. The key that it took away does not sign again for that, in an issuer whose Secret was never renewed.
func TestRemovedKeyDoesNotReturnAfterTheTombstone(t *testing.T) {
	data, err := files(t, "ES256", generate(t, "ES256")).Encode()
	if err != nil {
		t.Fatal(err)
	}
	directory, keySets := t.TempDir(), t.TempDir()
	write := func(directory, file string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(directory, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for file, content := range data {
		write(directory, file, content)
	}
	r := &keys.Reader{Directory: directory, KeySetDirectory: keySets}
	signs := func(want bool, when string) {
		t.Helper()
		if s, err := r.Load(); err != nil || s.Signs() != want {
			t.Errorf("%s: %+v %v", when, s, err)
		}
	}
	write(keySets, "p.json", data["jwks.json"])
	signs(true, "published")
	write(keySets, "p.json", issuerfiles.Tombstone("ES256"))
	signs(false, "a tombstone")
	if err := os.Remove(filepath.Join(keySets, "p.json")); err != nil {
		t.Fatal(err)
	}
	signs(false, "no file")
	write(keySets, "p.json", []byte("broken"))
	signs(false, "a broken file")
	write(keySets, "p.json", data["jwks.json"])
	signs(true, "published again")
}
