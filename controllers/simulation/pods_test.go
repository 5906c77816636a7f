package simulation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/issuer/keys"
	"github.com/keywright/keywright/issuer/reload"
	"github.com/keywright/keywright/issuer/token"
	"github.com/keywright/keywright/verifier"
	"github.com/keywright/keywright/verifier/verifiertest"
)

// pod is an issuer, or the verifier of a namespace, with its files as its kubelet wrote them.
type pod struct {
	namespace, name string
	issuer          bool
	clock           time.Duration
	due             time.Time // when the files must be read again, zero if they are current

	// For a verifier: the last good key set, empty before the first one, and since when it has one.
	content string
	since   time.Time
	// list is the revocation list that was read with it, and at which time. owned reports whether the controller wrote
	// both.
	list  string
	read  time.Time
	owned bool

	// For an issuer:
	mounted  bool
	settled  bool // the mounted Secret is immutable, and is not renewed
	stale    bool // and another Secret exists
	mounts   int
	secret   verifiertest.Volume
	keySet   verifiertest.Volume
	reader   *keys.Reader
	snapshot *keys.Snapshot
}

func (p *pod) String() string { return p.namespace + "/" + p.name }

// pods has the pods of all namespaces.
type pods struct {
	w   *world
	mu  sync.Mutex
	all []*pod
	// verifiers by key set, since the decision of a verifier depends only on its file and its clock, and it keeps the last
	// good file.
	verifiers map[string]*verifier.Verifier
	clock     atomic.Int64
	tokens    int
}

func newPods(w *world) *pods {
	return &pods{w: w, verifiers: map[string]*verifier.Verifier{}}
}

func (ps *pods) close() {
	for _, v := range ps.verifiers {
		if v != nil {
			v.Close()
		}
	}
}

// add creates a pod. It gets its files when they can be mounted.
func (ps *pods) add(namespace, name string, issuer bool) {
	p := &pod{namespace: namespace, name: name, issuer: issuer, clock: ps.w.clockOffset(), due: ps.w.now}
	ps.all = append(ps.all, p)
	object := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.PodSpec{Volumes: []corev1.Volume{{Name: "jwks", VolumeSource: corev1.VolumeSource{
			ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: contract.JWKSConfigMap}},
		}}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
	if issuer {
		object.Spec.Volumes = append(object.Spec.Volumes, corev1.Volume{Name: "key", VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: signingKey + contract.SigningKeySuffix},
		}})
	}
	if _, err := ps.w.store.create(object); err != nil {
		panic(err)
	}
}

// remove deletes the pods of a namespace.
func (ps *pods) remove(namespace string) {
	var rest []*pod
	for _, p := range ps.all {
		if p.namespace != namespace {
			rest = append(rest, p)
		}
	}
	ps.all = rest
}

// changed makes kubelets renew files after a change, within the lag. A third of them have just read the files.
func (ps *pods) changed(r ref) {
	for _, p := range ps.all {
		if p.namespace != r.namespace || r.kind == kindSecret && (!p.issuer || r != secretRef) || r.kind == kindPod && p.name != r.name {
			continue
		}
		if r == secretRef && p.settled {
			p.stale = true // its kubelet does not renew it
		}
		lag := ps.w.lag
		switch {
		case r.kind == kindPod:
			lag = time.Second
		case ps.w.faults.clean:
			lag /= 2
		case ps.w.rnd.IntN(3) > 0:
			lag = 1 + time.Duration(ps.w.rnd.Int64N(int64(lag)))
		}
		if at := ps.w.now.Add(lag); p.due.IsZero() || at.Before(p.due) {
			p.due = at
		}
	}
}

// restart restarts a pod with the current files. It waits while they cannot be mounted.
func (ps *pods) restart(p *pod) {
	ps.w.log("%s restarts", p)
	p.mounted, p.settled, p.stale, p.snapshot, p.reader = false, false, false, nil, nil
	p.content, p.list, p.since = "", "", time.Time{}
	ps.read(p)
}

// read renews the files of a pod.
func (ps *pods) read(p *pod) {
	p.due = time.Time{}
	if p.issuer {
		ps.w.sign(p) // a last token with the old files
		ps.readIssuer(p)
		return
	}
	ps.readVerifier(p)
}

func (ps *pods) readVerifier(p *pod) {
	content, list := ps.w.fileIn(p.namespace), ps.w.listIn(p.namespace)
	if content != "" {
		p.read, p.owned = ps.w.now, !ps.w.facts.namespace(p.namespace).edited
	}
	if content == "" || content == p.content && (list == p.list || list == "") {
		return
	}
	if _, err := verifier.ParseKeySet([]byte(content)); err != nil {
		return // the last good one stays in use
	}
	if issuerfiles.TrustsNobody(content) {
		content = ""
	}
	if p.content == "" {
		p.since = ps.w.now
	}
	if _, err := issuerfiles.DecodeRevoked([]byte(list)); err == nil { // the last good one stays in use
		p.list = list
	}
	p.content = content
	ps.w.log("%s reads %v %s", p, issuerfiles.KeyIDs([]byte(content)), p.list)
	ps.w.facts.reread(p)
}

func (ps *pods) readIssuer(p *pod) {
	s, cm := ps.w.secret(secretRef), ps.w.configMap(keyNamespace)
	if !p.mounted {
		if s == nil || cm == nil {
			return
		}
		p.mounted = true
		p.mounts++
		dir := filepath.Join(ps.w.dir, fmt.Sprintf("%s-%d", p.name, p.mounts))
		p.secret, p.keySet = verifiertest.Volume{Directory: dir + "-key"}, verifiertest.Volume{Directory: dir + "-jwks"}
		must(os.Mkdir(p.secret.Directory, 0o755))
		must(os.Mkdir(p.keySet.Directory, 0o755))
		p.reader = &keys.Reader{Directory: p.secret.Directory, KeySetDirectory: p.keySet.Directory}
	}
	if s != nil && !p.settled {
		must(p.secret.Write(s.Data))
		p.settled = isTrue(s.Immutable)
	}
	if cm != nil {
		files := map[string][]byte{}
		for name, content := range cm.Data {
			files[name] = []byte(content)
		}
		must(p.keySet.Write(files))
	}
	snapshot, err := p.reader.Load()
	if err == nil || errors.Is(err, reload.ErrDegraded) {
		p.snapshot = snapshot
		ps.w.log("%s signs with %q %s", p, snapshot.KeyID, snapshot.Stopped)
		ps.w.sessions.reread(p)
	} else {
		ps.w.log("%s cannot read its files: %v", p, err)
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// signed is an issued token.
type signed struct {
	kid, compact        string
	at, until           time.Time // true times
	issued              time.Time // auth_time, or iat if it has no session
	subject, client, id string
	session             string // sid, empty if it has no session
}

// sign issues a token with the lifetime of the policy in the issuer's files, and verifies it everywhere.
func (w *world) sign(p *pod) {
	if p.snapshot == nil || !p.snapshot.Signs() {
		return
	}
	w.pods.tokens++
	clock := w.now.Add(p.clock)
	n := w.pods.tokens
	of := w.sessions.of(n, clock)
	claims := token.Claims{
		SessionID: of.id, AuthenticatedAt: of.began, Issuer: issuerName, Subject: subjects()[n%2], Audience: []string{audience}, ClientID: clients()[n/2%2], IssuedAt: clock,
		ID: fmt.Sprint(n), Lifetime: p.snapshot.MaxLifetime,
	}
	issued := time.Unix(clock.Unix(), 0)
	if of.id != "" {
		issued = of.began
		if p.snapshot.Revoked.Ends(issued, map[string]string{
			issuerfiles.ClaimSubject: claims.Subject, issuerfiles.ClaimClientID: claims.ClientID, issuerfiles.ClaimSessionID: of.id,
		}) {
			return // as an issuer refuses to refresh
		}
	}
	payload, err := claims.Marshal()
	must(err)
	compact, err := p.snapshot.Sign(payload)
	must(err)
	expiry := time.Unix(clock.Unix(), 0).Add(p.snapshot.MaxLifetime.Truncate(time.Second))
	if p.stale {
		return // its files are older than the propagation delay allows
	}
	w.facts.signed(&signed{
		kid: p.snapshot.KeyID, compact: compact, at: w.now, until: expiry.Add(-p.clock), issued: issued,
		subject: claims.Subject, client: claims.ClientID, id: claims.ID, session: of.id,
	})
	w.sessions.seal(p)
}

// verify calls the real verifier.
func (ps *pods) verify(p *pod, t *signed) error {
	files := p.content + p.list
	v := ps.verifiers[files]
	if v == nil {
		digest := sha256.Sum256([]byte(files))
		path := filepath.Join(ps.w.dir, hex.EncodeToString(digest[:8]))
		if p.list != "" {
			must(os.WriteFile(path+contract.RevokedSuffix, []byte(p.list), 0o644))
		}
		path += contract.JWKSSuffix
		must(os.WriteFile(path, []byte(p.content), 0o644))
		ps.clock.Store(ps.w.now.UnixNano())
		var err error
		v, err = verifier.New(verifier.Config{
			Issuers: map[string]verifier.Source{issuerName: verifier.File(path)}, Audience: audience, ClockSkew: ps.w.skew,
			Now: func() time.Time { return time.Unix(0, ps.clock.Load()) }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
			PollInterval: time.Minute,
		})
		must(err)
		ps.verifiers[files] = v
	}
	ps.clock.Store(ps.w.now.Add(p.clock).UnixNano())
	_, err := v.Verify(context.Background(), t.compact)
	return err
}
