package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/fetched"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/verifier"
)

// world is one TrustedIssuer, and a namespace that it selects.
type world struct {
	*testing.T
	client.Client
	name, target string
}

func newWorld(t *testing.T, name string) *world {
	t.Helper()
	w := &world{T: t, Client: admin(t), name: name, target: "shop-" + name}
	w.must(w.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.target, Labels: map[string]string{"trusts": name}}}))
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) trust(issuer string, keys keywrightv1alpha1.KeySource) {
	w.Helper()
	ti := &keywrightv1alpha1.TrustedIssuer{ObjectMeta: metav1.ObjectMeta{Name: w.name}}
	ti.Spec.Issuer, ti.Spec.Keys = issuer, keys
	ti.Spec.Distribution.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"trusts": w.name}}
	w.must(w.Create(w.Context(), ti))
}

// fetchNow triggers a fetch by a change of the spec.
func (w *world) fetchNow() {
	w.Helper()
	var ti keywrightv1alpha1.TrustedIssuer
	w.must(w.Get(w.Context(), client.ObjectKey{Name: w.name}, &ti))
	before := ti.DeepCopy()
	ti.Spec.MaxStaleness.Duration += time.Minute
	w.must(w.Patch(w.Context(), &ti, client.MergeFrom(before)))
}

// fetchedNext returns when the next fetch is due, from the metrics.
func (w *world) fetchedNext() time.Time {
	w.Helper()
	families, err := metrics.Registry.Gather()
	w.must(err)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "keywright_fetch_next_timestamp_seconds" && m.GetLabel()[0].GetValue() == w.name {
				return time.Unix(int64(m.GetGauge().GetValue()), 0)
			}
		}
	}
	return time.Time{}
}

// file returns the file of the target's pods.
func (w *world) file() string {
	w.Helper()
	var cm corev1.ConfigMap
	w.must(client.IgnoreNotFound(w.Get(w.Context(), client.ObjectKey{Namespace: w.target, Name: contract.JWKSConfigMap}, &cm)))
	return cm.Data[w.name+contract.JWKSSuffix]
}

func (w *world) status() keywrightv1alpha1.TrustedIssuerStatus {
	w.Helper()
	var ti keywrightv1alpha1.TrustedIssuer
	w.must(w.Get(w.Context(), client.ObjectKey{Name: w.name}, &ti))
	return ti.Status
}

// says reports whether a condition has a status, with a message that contains a text.
func (w *world) says(kind string, status metav1.ConditionStatus, part string) bool {
	w.Helper()
	c := meta.FindStatusCondition(w.status().Conditions, kind)
	return c != nil && c.Status == status && strings.Contains(c.Message, part)
}

func (w *world) eventually(what string, done func() bool) {
	w.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("%s: not within 30 s\nfile %s\nstatus %+v", what, w.file(), w.status())
		}
	}
}

// holds reports whether the file has exactly these keys.
func (w *world) holds(ids ...string) bool {
	w.Helper()
	return fmt.Sprint(issuerfiles.KeyIDs([]byte(w.file()))) == fmt.Sprint(ids)
}

// verify verifies a token with the file of the pods.
func (w *world) verify(compact, issuer, typ string) error {
	w.Helper()
	path := filepath.Join(w.TempDir(), w.name+contract.JWKSSuffix)
	w.must(os.WriteFile(path, []byte(w.file()), 0o600))
	v, err := verifier.New(verifier.Config{Issuers: map[string]verifier.Source{issuer: verifier.File(path)}, Audience: "shop", Type: typ})
	w.must(err)
	defer v.Close()
	_, err = v.Verify(w.Context(), compact)
	return err
}

func TestKeysOfAProviderReachItsNamespaces(t *testing.T) {
	w := newWorld(t, "provider")
	one, two := newKey(t, "RS256", "one"), newKey(t, "ES256", "two")
	p := newProvider(t, set(one))
	w.trust(p.URL, keywrightv1alpha1.KeySource{Discovery: &keywrightv1alpha1.Discovery{}, CABundle: p.ca()})
	w.eventually("the first key", func() bool {
		return w.holds("one") && w.says(keywrightv1alpha1.ConditionReady, metav1.ConditionTrue, "1 keys")
	})
	if s := w.status(); len(s.Keys) != 1 || s.Keys[0].FirstSeenTime == nil || s.LastFetchTime == nil || s.Targets.Summary != "2/2" {
		t.Errorf("status %+v", s)
	}
	if err := w.verify(token(t, one, p.URL), p.URL, "at+jwt"); err != nil {
		t.Error(err)
	}
	if next := time.Until(w.fetchedNext()); next < time.Minute || next > 5*time.Minute {
		t.Errorf("the metric says that the next fetch is in %v", next)
	}
	p.answers(set(one, two)) // rotates
	w.fetchNow()
	w.eventually("both keys", func() bool { return w.holds("one", "two") })
	if err := w.verify(token(t, two, p.URL), p.URL, "at+jwt"); err != nil {
		t.Error(err)
	}
	pod := w.pod()
	p.answers(set(two)) // withdraws
	w.fetchNow()
	w.eventually("the second key alone", func() bool { return w.holds("two") })
	if err := w.verify(token(t, one, p.URL), p.URL, "at+jwt"); err == nil {
		t.Error("a token of a key that was withdrawn is accepted")
	}
	nudged := func() string {
		t.Helper()
		w.must(w.Get(t.Context(), client.ObjectKeyFromObject(pod), pod))
		return pod.Annotations[contract.NudgedAnnotation]
	}
	w.eventually("its kubelet is nudged", func() bool { return nudged() != "" })
	first := nudged()
	w.eventually("its kubelet is nudged twice, as each is", func() bool { return nudged() != first })
	before := nudged()
	p.answers(set(one, two)) // publishes it again, then withdraws it again
	w.fetchNow()
	w.eventually("both keys again", func() bool { return w.holds("one", "two") })
	p.answers(set(two))
	w.fetchNow()
	w.eventually("its kubelet is nudged again", func() bool { return w.holds("two") && nudged() != before })
}

// pod creates a running pod in the key namespace that mounts the file.
func (w *world) pod() *corev1.Pod {
	w.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: keyNamespace, Name: "reader-of-" + w.name},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: new(bool), Containers: []corev1.Container{{Name: "reader", Image: "reader"}},
			Volumes: []corev1.Volume{{Name: "keys", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
				Sources: []corev1.VolumeProjection{{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: contract.JWKSConfigMap}}}},
			}}}},
		},
	}
	w.must(client.IgnoreAlreadyExists(w.Create(w.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: keyNamespace, Name: "default"}})))
	w.must(w.Create(w.Context(), pod))
	return pod
}

// slow begins a response, and completes it only when the test ends.
func slow(t *testing.T) http.HandlerFunc {
	t.Helper()
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	return func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"keys":[`))
		_ = http.NewResponseController(w).Flush()
		<-done
	}
}

// An invalid response does not change the keys.
func TestBadAnswersChangeNothing(t *testing.T) {
	w := newWorld(t, "liar")
	one := newKey(t, "ES256", "one")
	p := newProvider(t, set(one))
	w.trust("https://liar.example", keywrightv1alpha1.KeySource{URL: p.URL + "/jwks", CABundle: p.ca()})
	w.eventually("the key", func() bool {
		return w.holds("one") && w.says(keywrightv1alpha1.ConditionReady, metav1.ConditionTrue, "")
	})
	elsewhere := newProvider(t, set(newKey(t, "ES256", "elsewhere")))
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"empty":         {text(200, ""), "is not a JWKS"},
		"no keys":       {text(200, `{"keys":[]}`), "has no keys"},
		"a page":        {text(200, "<html>we will be back soon</html>"), "is not a JWKS"},
		"an error":      {text(500, `{"keys":[]}`), "500"},
		"not found":     {text(404, ""), "404"},
		"huge":          {text(200, `{"keys":["`+strings.Repeat("x", 1<<20)+`"]}`), "longer than"},
		"only a secret": {text(200, `{"keys":[{"kty":"oct","kid":"one","k":"c2VjcmV0","alg":"HS256"}]}`), "no usable key"},
		"another host":  {http.RedirectHandler(elsewhere.URL+"/jwks", http.StatusFound).ServeHTTP, "redirects"},
		"slow":          {slow(t), "deadline exceeded"},
	} {
		p.answers(c.answer)
		w.fetchNow()
		w.eventually(name, func() bool { return w.says(keywrightv1alpha1.ConditionFetched, metav1.ConditionFalse, c.want) })
		if !w.holds("one") || !w.says(keywrightv1alpha1.ConditionReady, metav1.ConditionTrue, "1 keys") {
			t.Errorf("%s: the file is %s", name, w.file())
		}
	}
	var moved bool
	p.answers(func(rw http.ResponseWriter, r *http.Request) { // to the same host
		if !moved {
			moved = true
			http.Redirect(rw, r, "/moved", http.StatusFound)
			return
		}
		rw.Header().Set("Content-Type", "text/html") // the content type is ignored
		set(one)(rw, r)
	})
	w.fetchNow()
	w.eventually("a good answer", func() bool { return w.says(keywrightv1alpha1.ConditionFetched, metav1.ConditionTrue, "") })
}

// Pods verify tokens of ServiceAccounts with the file, without the API server.
func TestServiceAccountTokens(t *testing.T) {
	w := newWorld(t, "kubernetes")
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.target, Name: "caller"}}
	w.must(w.Create(t.Context(), account))
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{"shop"}}}
	w.must(w.SubResource("token").Create(t.Context(), account, request))
	parsed, err := jose.ParseSignedCompact(request.Status.Token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	w.must(err)
	_, issuer, _ := strings.Cut(string(parsed.UnsafePayloadWithoutVerification()), `"iss":"`)
	issuer, _, _ = strings.Cut(issuer, `"`)
	w.trust(issuer, keywrightv1alpha1.KeySource{Kubernetes: &keywrightv1alpha1.Kubernetes{}})
	w.eventually("the keys of the API server", func() bool {
		return w.file() != "" && w.says(keywrightv1alpha1.ConditionReady, metav1.ConditionTrue, "")
	})
	if err := w.verify(request.Status.Token, issuer, "JWT"); err != nil {
		t.Error(err)
	}
	other := newWorld(t, "not-kubernetes")
	other.trust("https://another.example", keywrightv1alpha1.KeySource{Kubernetes: &keywrightv1alpha1.Kubernetes{}})
	other.eventually("the issuer is named", func() bool { return other.says(keywrightv1alpha1.ConditionFetched, metav1.ConditionFalse, issuer) })
}

// A key of a SigningKey is only in its own file, since its revocation changes no other file.
func TestKeysOfASigningKeyAreOmitted(t *testing.T) {
	w := newWorld(t, "ours")
	key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "own"}}
	key.Spec.Distribution.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"trusts": w.name}}
	w.must(w.Create(t.Context(), key))
	var own string
	w.eventually("the SigningKey", func() bool {
		var cm corev1.ConfigMap
		w.must(client.IgnoreNotFound(w.Get(t.Context(), client.ObjectKey{Namespace: w.target, Name: contract.JWKSConfigMap}, &cm)))
		own = cm.Data["own"+contract.JWKSSuffix]
		return len(issuerfiles.KeyIDs([]byte(own))) == 2
	})
	foreign := newKey(t, "ES256", "foreign")
	b, err := foreign.Public().MarshalJSON()
	w.must(err)
	w.trust("https://ours.example", keywrightv1alpha1.KeySource{Inline: strings.Replace(own, `{"keys":[`, `{"keys":[`+string(b)+",", 1)})
	w.eventually("the foreign key alone", func() bool { return w.holds("foreign") && len(w.status().LeftOut) == 2 })
	if l := w.status().LeftOut[0]; !strings.Contains(l.Reason, "SigningKey own") {
		t.Errorf("left out: %+v", l)
	}
}

// A SigningKey takes its name, even if a TrustedIssuer had it first.
func TestNameOfASigningKey(t *testing.T) {
	w := newWorld(t, "taken")
	foreign := newKey(t, "ES256", "foreign")
	p := newProvider(t, set(foreign))
	w.trust("https://taken.example", keywrightv1alpha1.KeySource{URL: p.URL, CABundle: p.ca()})
	w.eventually("the foreign key", func() bool { return w.holds("foreign") })
	key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: w.name}}
	key.Spec.Distribution.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"trusts": w.name}}
	key.Spec.DeletionPolicy = keywrightv1alpha1.Delete
	key.Spec.Distribution.PropagationDelay.Duration, key.Spec.Token.ClockSkew.Duration = time.Second, time.Second
	w.must(w.Create(t.Context(), key))
	w.eventually("the keys of the SigningKey", func() bool {
		ids := issuerfiles.KeyIDs([]byte(w.file()))
		return len(ids) == 2 && !w.holds("foreign") && w.says(keywrightv1alpha1.ConditionStalled, metav1.ConditionTrue, "another name")
	})
	w.must(w.Delete(t.Context(), key))
	w.eventually("the foreign key again", func() bool {
		return w.holds("foreign") && w.says(keywrightv1alpha1.ConditionReady, metav1.ConditionTrue, "")
	})
}

// A deleted TrustedIssuer is no longer trusted, and pods get a tombstone.
func TestDeletionWritesATombstone(t *testing.T) {
	w := newWorld(t, "gone")
	one := newKey(t, "ES256", "one")
	b, err := one.Public().MarshalJSON()
	w.must(err)
	w.trust("spiffe://gone", keywrightv1alpha1.KeySource{Inline: `{"keys":[` + string(b) + `]}`})
	w.eventually("the key", func() bool { return w.holds("one") })
	w.must(w.Delete(t.Context(), &keywrightv1alpha1.TrustedIssuer{ObjectMeta: metav1.ObjectMeta{Name: w.name}}))
	for end := time.Now().Add(30 * time.Second); !issuerfiles.TrustsNobody(w.file()); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the file is %s", w.file())
		}
	}
}

// An attacker who controls the fetcher can write its ConfigMap. That adds keys only to existing TrustedIssuers, and no
// weak or private keys.
func TestForgedEntries(t *testing.T) {
	w := newWorld(t, "forged")
	p := newProvider(t, text(503, ""))
	w.trust("https://forged.example", keywrightv1alpha1.KeySource{URL: p.URL, CABundle: p.ca()})
	w.eventually("the failure", func() bool { return w.says(keywrightv1alpha1.ConditionFetched, metav1.ConditionFalse, "503") })
	var ti keywrightv1alpha1.TrustedIssuer
	w.must(w.Get(t.Context(), client.ObjectKey{Name: w.name}, &ti))
	private, err := newKey(t, "ES256", "private").MarshalJSON()
	w.must(err)
	key := newKey(t, "ES256", "public")
	public, err := key.Public().MarshalJSON()
	w.must(err)
	plant := func(entries map[string]fetched.Entry) {
		t.Helper()
		var cm corev1.ConfigMap
		w.must(w.Get(t.Context(), client.ObjectKey{Namespace: keyNamespace, Name: contract.FetchedConfigMap}, &cm))
		for name, e := range entries {
			text, err := e.Encode()
			w.must(err)
			cm.Data[name+fetched.Suffix] = text
		}
		w.must(cluster.asFetcher.Update(t.Context(), &cm))
	}
	set := func(keys ...[]byte) []byte {
		var all []string
		for _, k := range keys {
			all = append(all, string(k))
		}
		return []byte(`{"keys":[` + strings.Join(all, ",") + `]}`)
	}
	marker := newWorld(t, "marker") // when its keys are distributed, the other entries were reconciled, too
	marker.trust("https://marker.example", keywrightv1alpha1.KeySource{URL: p.URL, CABundle: p.ca()})
	marker.eventually("the failure", func() bool { return marker.says(keywrightv1alpha1.ConditionFetched, metav1.ConditionFalse, "503") })
	var other keywrightv1alpha1.TrustedIssuer
	w.must(w.Get(t.Context(), client.ObjectKey{Name: marker.name}, &other))
	plant(map[string]fetched.Entry{
		marker.name:    {UID: string(other.UID), KeySet: set(public), Revision: 1},
		"nobody":       {UID: "no", KeySet: set(public)},
		"own":          {UID: string(ti.UID), KeySet: set(public)},
		w.name:         {UID: "another", KeySet: set(public)},
		"keyring.json": {UID: string(ti.UID), KeySet: set(public)},
	})
	marker.eventually("what was planted for the marker", func() bool { return marker.holds("public") })
	var cm corev1.ConfigMap
	w.must(client.IgnoreNotFound(w.Get(t.Context(), client.ObjectKey{Namespace: w.target, Name: contract.JWKSConfigMap}, &cm)))
	for name, content := range cm.Data {
		if strings.Contains(content, `"public"`) {
			t.Errorf("planted in %s", name)
		}
	}
	plant(map[string]fetched.Entry{w.name: {UID: string(ti.UID), KeySet: set(private, public), Revision: 1}})
	w.eventually("the public key alone", func() bool { return w.holds("public") })
	if strings.Contains(w.file(), `"d"`) {
		t.Error("a private key is distributed")
	}
}
