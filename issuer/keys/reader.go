package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/issuer/mount"
)

// maxBytes bounds each file: a Secret or ConfigMap holds at most 1 MiB.
const maxBytes = 1 << 20

// Reader reads what is mounted, again and again. What it has once heard of a revocation it does not forget.
type Reader struct {
	// Directory has the signing-key Secret, KeySetDirectory the ConfigMap keywright-jwks. The second may be missing.
	Directory, KeySetDirectory string

	last *Snapshot
	// revoked are all key IDs that were ever heard of.
	revoked []string
	// heard is the revocation list beside the key set, when it was last read.
	heard issuerfiles.Revoked
	// published are the keys that the key set beside the revocation list was seen to hold, true for those that it holds no longer.
	published map[string]bool
}

// Paths are the files to watch.
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

// Load reads and checks what is mounted. With an error that wraps mount.ErrTaken comes a snapshot that takes the place of the last
// one: a revocation list cannot be read, or the files cannot, and the key that signs is no longer the one that they hold. With any
// other error the last snapshot goes on.
func (r *Reader) Load() (*Snapshot, error) {
	data, err := r.read()
	if err != nil {
		return r.goOn(nil, err)
	}
	files, err := issuerfiles.Decode(data)
	if err != nil {
		return r.goOn(data, err)
	}
	r.add(files.Revoked.KeyIDs)
	problem := r.hear(files.Policy.SigningKey)
	s, err := Parse(files, issuerfiles.Revoked{KeyIDs: r.revoked}.Union(r.heard))
	if err != nil {
		return r.goOn(data, err)
	}
	if s.Signs() && r.hasLeft(s) {
		s = s.stop("key " + s.KeyID + " has left the key set that services read")
	}
	r.last = s
	return s, problem
}

// hasLeft reports whether the key that signs was in the key set that services read, and is there no longer: it was removed or revoked,
// and the Secret that is mounted here is not renewed. A kubelet never renews an immutable one.
func (r *Reader) hasLeft(s *Snapshot) bool {
	content, err := mount.Read(filepath.Join(mount.Version(r.KeySetDirectory), s.SigningKey+contract.JWKSSuffix), maxBytes)
	if err != nil {
		return r.published[s.KeyID] // an absence brings nothing back
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

// read returns the entries of the signing-key Secret, all from one version of the mount.
func (r *Reader) read() (map[string][]byte, error) {
	version := mount.Version(r.Directory)
	data := map[string][]byte{}
	var wrong []error
	for _, file := range entries() {
		content, err := mount.Read(filepath.Join(version, file), maxBytes)
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

// hear adds what the revocation list beside the key set names, where the controller names it when the Secret cannot be written.
func (r *Reader) hear(signingKey string) error {
	file := signingKey + contract.RevokedSuffix
	content, err := mount.Read(filepath.Join(mount.Version(r.KeySetDirectory), file), maxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var list issuerfiles.Revoked
	if err == nil {
		list, err = issuerfiles.DecodeRevoked(content)
	}
	if err != nil {
		return mount.Taken(fmt.Errorf("%s: the revocations in it are unknown, signing goes on: %w", file, err))
	}
	r.add(list.KeyIDs)
	r.heard = list
	return nil
}

func (r *Reader) add(ids []string) {
	for _, id := range ids {
		if !slices.Contains(r.revoked, id) {
			r.revoked = append(r.revoked, id)
		}
	}
}

// goOn decides whether the key that signs may go on after files came that cannot be read whole: not if they hold no key to sign
// with, or another one that they publish, or a key set without it. A newer controller may write what this issuer does not understand.
// A revocation that can be read stops the key in any case. data is nil if a file is missing.
func (r *Reader) goOn(data map[string][]byte, err error) (*Snapshot, error) {
	if r.last == nil || !r.last.Signs() {
		return nil, err
	}
	kid, active := r.last.KeyID, data[contract.ActiveFile]
	ended := r.last.Revoked
	if list, unreadable := issuerfiles.DecodeRevoked(data[contract.RevokedFile]); unreadable == nil {
		r.add(list.KeyIDs)
		ended = list
	}
	if problem := r.hear(r.last.SigningKey); problem != nil {
		err = fmt.Errorf("%w; %s", err, problem.Error()) // not taken: nothing takes the place of the last one
	}
	ended = ended.Union(r.heard).Union(issuerfiles.Revoked{KeyIDs: r.revoked})
	news := !ended.Equal(r.last.Revoked)
	r.last = r.last.with(ended)
	if slices.Contains(r.revoked, kid) {
		return r.stop(r.last.without(r.revoked), "key "+kid+" is revoked", err)
	}
	if r.hasLeft(r.last) {
		return r.stop(r.last, "key "+kid+" has left the key set that services read", err)
	}
	if data == nil {
		return r.keep(news, err)
	}
	published, unreadable := issuerfiles.DecodeKeySet(data[contract.JWKSFile])
	publishes := func(id string) bool {
		return slices.ContainsFunc(published, func(k issuerfiles.PublicKey) bool { return k.ID == id })
	}
	other := issuerfiles.KeyID(active) != kid && publishes(issuerfiles.KeyID(active))
	if len(active) > 0 && !other && (unreadable != nil || publishes(kid)) {
		return r.keep(news, err)
	}
	return r.stop(r.last, "the files cannot be read, and do not hold key "+kid+" any more", err)
}

// keep goes on signing with the last snapshot, which is another one if there is news of what is revoked.
func (r *Reader) keep(news bool, err error) (*Snapshot, error) {
	if news {
		return r.last, mount.Taken(err)
	}
	return nil, err
}

// stop lets nothing sign any more, though the files that came cannot be read whole.
func (r *Reader) stop(last *Snapshot, reason string, err error) (*Snapshot, error) {
	r.last = last.stop(reason)
	return r.last, mount.Taken(fmt.Errorf("signing stops: %s: %w", reason, err))
}

// Load reads what is mounted once.
func Load(directory, keySetDirectory string) (*Snapshot, error) {
	return (&Reader{Directory: directory, KeySetDirectory: keySetDirectory}).Load()
}
