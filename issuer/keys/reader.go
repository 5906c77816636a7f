package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/issuer/reload"
)

// maxBytes limits each file: a Secret or ConfigMap holds at most 1 MiB.
const maxBytes = 1 << 20

// Reader reads the mounted files repeatedly. It never forgets a revoked key ID.
type Reader struct {
	// Directory is the volume of the signing-key Secret, and KeySetDirectory that of the ConfigMap keywright-jwks,
	// which may be missing.
	Directory, KeySetDirectory string

	last *Snapshot
	// revoked are all key IDs that were ever read from a revocation list.
	revoked []string
	// revocationList is the last list that was read from KeySetDirectory.
	revocationList issuerfiles.Revoked
	// published are the keys that the key set in KeySetDirectory has contained; the value is true if they were
	// removed since.
	published map[string]bool
}

// Paths returns the files to watch.
func (r *Reader) Paths() []string {
	paths := make([]string, 0, 6)
	for _, file := range entries() {
		paths = append(paths, filepath.Join(r.Directory, file))
	}
	if r.last != nil {
		paths = append(paths, filepath.Join(r.KeySetDirectory, r.last.SigningKey+contract.RevokedSuffix),
			filepath.Join(r.KeySetDirectory, r.last.SigningKey+contract.JWKSSuffix))
	}
	return paths
}

func entries() []string {
	return []string{contract.ActiveFile, contract.JWKSFile, contract.PolicyFile, contract.RevokedFile, contract.SealingFile}
}

// Load reads and validates the mounted files. With an error that wraps reload.ErrDegraded, the returned snapshot
// replaces the last one: the revocation list cannot be read, or the files are invalid and no longer contain the
// signing key. With any other error, the last snapshot stays in use.
func (r *Reader) Load() (*Snapshot, error) {
	data, err := r.read()
	if err != nil {
		return r.keepSigning(nil, err)
	}
	files, err := issuerfiles.Decode(data)
	if err != nil {
		return r.keepSigning(data, err)
	}
	r.addRevoked(files.Revoked.KeyIDs)
	problem := r.readRevocations(files.Policy.SigningKey)
	s, err := Parse(files, issuerfiles.Revoked{KeyIDs: r.revoked}.Union(r.revocationList))
	if err != nil {
		return r.keepSigning(data, err)
	}
	if s.Signs() && r.wasUnpublished(s) {
		s = s.withoutSigner("key " + s.KeyID + " was removed from the key set that services read")
	}
	r.last = s
	return s, problem
}

// wasUnpublished reports whether the signing key was in the key set that services read, and has left it: it was
// removed or revoked, and this Secret is not updated. A kubelet never updates an immutable Secret.
func (r *Reader) wasUnpublished(s *Snapshot) bool {
	content, err := reload.Read(filepath.Join(reload.Version(r.KeySetDirectory), s.SigningKey+contract.JWKSSuffix), maxBytes)
	if err != nil {
		return r.published[s.KeyID] // a missing file does not reset the state
	}
	keys, err := issuerfiles.DecodeKeySet(content)
	if err != nil {
		return r.published[s.KeyID]
	}
	if r.published == nil {
		r.published = map[string]bool{}
	}
	if slices.ContainsFunc(keys, func(k issuerfiles.PublicKey) bool { return k.ID == s.KeyID }) {
		r.published[s.KeyID] = false
	} else if _, held := r.published[s.KeyID]; held {
		r.published[s.KeyID] = true
	}
	return r.published[s.KeyID]
}

// read returns the entries of the signing-key Secret from one version of the volume.
func (r *Reader) read() (map[string][]byte, error) {
	version := reload.Version(r.Directory)
	data := map[string][]byte{}
	var wrong []error
	for _, file := range entries() {
		content, err := reload.Read(filepath.Join(version, file), maxBytes)
		optional := file == contract.ActiveFile || file == contract.RevokedFile || file == contract.SealingFile
		switch {
		case err == nil:
			data[file] = content
		case !optional || !errors.Is(err, fs.ErrNotExist):
			wrong = append(wrong, err)
		}
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return data, nil
}

// readRevocations reads the revocation list in KeySetDirectory. The controller writes revoked key IDs there, in case
// it cannot write the Secret.
func (r *Reader) readRevocations(signingKey string) error {
	file := signingKey + contract.RevokedSuffix
	content, err := reload.Read(filepath.Join(reload.Version(r.KeySetDirectory), file), maxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var list issuerfiles.Revoked
	if err == nil {
		list, err = issuerfiles.DecodeRevoked(content)
	}
	if err != nil {
		return reload.Degraded(fmt.Errorf("%s cannot be read: its revocations are unknown, and signing continues: %w", file, err))
	}
	r.addRevoked(list.KeyIDs)
	r.revocationList = list
	return nil
}

func (r *Reader) addRevoked(ids []string) {
	for _, id := range ids {
		if !slices.Contains(r.revoked, id) {
			r.revoked = append(r.revoked, id)
		}
	}
}

// keepSigning decides whether the signing key stays in use when the new files are invalid, for example written by a
// newer controller. Signing stops if the files contain no signing key, a different one that they publish, or a key
// set without it, or if the readable revocation list names it. data is nil if a file is missing.
func (r *Reader) keepSigning(data map[string][]byte, err error) (*Snapshot, error) {
	if r.last == nil || !r.last.Signs() {
		return nil, err
	}
	kid, active := r.last.KeyID, data[contract.ActiveFile]
	ended := r.last.Revoked
	if list, unreadable := issuerfiles.DecodeRevoked(data[contract.RevokedFile]); unreadable == nil {
		r.addRevoked(list.KeyIDs)
		ended = list
	}
	if problem := r.readRevocations(r.last.SigningKey); problem != nil {
		err = fmt.Errorf("%w; %s", err, problem.Error()) // does not wrap ErrDegraded: the last snapshot stays
	}
	ended = ended.Union(r.revocationList).Union(issuerfiles.Revoked{KeyIDs: r.revoked})
	news := !ended.Equal(r.last.Revoked)
	r.last = r.last.withRevocations(ended)
	if slices.Contains(r.revoked, kid) {
		return r.stopSigning(r.last.withoutKeys(r.revoked), "key "+kid+" is revoked", err)
	}
	if r.wasUnpublished(r.last) {
		return r.stopSigning(r.last, "key "+kid+" was removed from the key set that services read", err)
	}
	if data == nil {
		return r.keepLast(news, err)
	}
	published, unreadable := issuerfiles.DecodeKeySet(data[contract.JWKSFile])
	publishes := func(id string) bool {
		return slices.ContainsFunc(published, func(k issuerfiles.PublicKey) bool { return k.ID == id })
	}
	other := issuerfiles.KeyID(active) != kid && publishes(issuerfiles.KeyID(active))
	if len(active) > 0 && !other && (unreadable != nil || publishes(kid)) {
		return r.keepLast(news, err)
	}
	return r.stopSigning(r.last, "the new files are invalid and do not contain key "+kid, err)
}

// keepLast returns the last snapshot, with the new revocation list if there is one.
func (r *Reader) keepLast(news bool, err error) (*Snapshot, error) {
	if news {
		return r.last, reload.Degraded(err)
	}
	return nil, err
}

// stopSigning returns a snapshot that signs nothing.
func (r *Reader) stopSigning(last *Snapshot, reason string, err error) (*Snapshot, error) {
	r.last = last.withoutSigner(reason)
	return r.last, reload.Degraded(fmt.Errorf("signing stops: %s: %w", reason, err))
}

// Load reads the mounted files once.
func Load(directory, keySetDirectory string) (*Snapshot, error) {
	return (&Reader{Directory: directory, KeySetDirectory: keySetDirectory}).Load()
}
