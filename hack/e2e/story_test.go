package e2e

import (
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

const issuer = "https://keywright-issuer.keywright-system.svc"

// story is a cluster with Keywright, and what happens to it.
type story struct {
	*shell
	node         *node
	publications *publications
	// prometheus is the address of the one that scrapes Keywright.
	prometheus string
	password   string
	began      time.Time
	// removal is what the notes say removes it all.
	removal string
}

// The story is one, since each thing must hold while and after the others happen.
func TestEndToEnd(t *testing.T) {
	images := haveImages(t, issuer)
	n := haveNode(t, images)
	s := &story{shell: newShell(t, n.kubeconfig), node: n, password: rand.Text()}
	t.Cleanup(func() { s.explain(t) })
	s.install(t)
	s.atRest(t)
	s.step(t, "services start, and verify", s.serve)
	s.publications = follow(t, s.shell)
	s.step(t, "a pod gets a token with its own mounts alone", s.exchange)
	s.startPrometheus(t)
	s.step(t, "a second issuer, of whose tokens the verifiers of the first know nothing", s.secondIssuer)
	s.step(t, "ten rotations, kubelets that look once a second", s.rotateTen)
	s.step(t, "the controllers are killed", s.killControllers)
	s.step(t, "a ConfigMap is deleted", s.deleteConfigMap)
	s.step(t, "a second SigningKey is deleted, and drains", s.drain)
	s.step(t, "a namespace is no longer selected", s.deselect)
	s.step(t, "a key is revoked whose Secret cannot be written", s.revokeImmutable)
	s.step(t, "a key is revoked while no controller runs", s.withoutController)
	s.step(t, "the second SigningKey is deleted with all trust", s.delete)
	s.step(t, "another issuer is trusted", s.trust)
	s.step(t, "a rotation, kubelets that look once a minute, and a minute without the API server", s.rotateByDefaults)
	s.step(t, "the issuers are killed, one after the other", s.killIssuers)
	s.step(t, "keys are mounted where a label asks for it", s.inject)
	s.step(t, "the chart is upgraded", s.upgrade)
	s.step(t, "a revocation, kubelets that look once a minute", s.revoke)
	s.step(t, "Prometheus has all that the dashboard shows", s.watched)
	s.step(t, "tokens end early", s.endTokens)
	s.step(t, "the release is uninstalled", s.uninstall)
	s.step(t, "all is removed", s.remove)
}

// step lets something happen, and shows what came of it: the SigningKey, and that no promise was broken. The story ends with the first step
// that fails, and the last lines of the output name it.
func (s *story) step(t *testing.T, what string, happens func(*testing.T)) {
	t.Helper()
	if !t.Run(what, func(t *testing.T) {
		began := time.Now()
		happens(t)
		s.show(t)
		t.Logf("%s: %.1f s", what, time.Since(began).Seconds())
	}) {
		t.FailNow()
	}
}

// show logs how the SigningKey and the load are, and fails if a promise was broken.
func (s *story) show(t *testing.T) {
	t.Helper()
	if out, err := s.try("kubectl keywright status main", ""); err == nil {
		t.Logf("\n%s", out)
	}
	if out, err := s.try("kubectl get deployment load -n clients", ""); err != nil {
		t.Logf("no load: %s", out)
		return
	}
	r := reported(t, s.shell)
	t.Logf("%+v, login %+v, call %+v", r.Tally, r.Latencies["login"], r.Latencies["call"])
	if r.Broken() {
		t.Fatalf("the promise was broken:\n%s", strings.Join(r.Problems, "\n"))
	}
}

// install is what the chart tells a user to type, to the first token that is verified.
func (s *story) install(t *testing.T) {
	var cluster struct{ Issuer string }
	check(t, json.Unmarshal([]byte(s.run(t, "kubectl get --raw /.well-known/openid-configuration")), &cluster))
	manifest(t, s.shell, "values.yaml", map[string]string{"Issuer": cluster.Issuer})
	chart, err := filepath.Abs(filepath.Join("..", "..", "charts", "keywright"))
	check(t, err)
	customers, err := filepath.Abs(filepath.Join("manifests", "customers.yaml"))
	check(t, err)
	for name, from := range map[string]string{"customers.yaml": customers, "chart": chart, "issuer-chart": chart + "-issuer"} {
		check(t, os.Symlink(from, filepath.Join(s.directory, name)))
	}
	s.began = time.Now()
	t.Logf("%s", s.run(t, helm("install")))
	t.Logf("helm install: %.1f s", time.Since(s.began).Seconds())
	begin, _ := notes(t, s.shell)
	s.noted(t, begin[0])
	s.noted(t, begin[1])
	var out string
	for {
		if out, err = s.try("read -rs PASSWORD\ntrap 'kill $(jobs -p)' EXIT\n"+begin[2], s.password+"\n"); err == nil && strings.Contains(out, `"sub"`) {
			break
		}
		if time.Since(s.began) > 2*time.Minute {
			t.Fatalf("no token was verified: %v\n%s", err, out)
		}
	}
	t.Logf("%s\nhelm install to the first verified token: %.1f s", out, time.Since(s.began).Seconds())
	if out := s.run(t, "helm test keywright -n keywright-system"); !strings.Contains(out, "Succeeded") {
		t.Errorf("helm test says:\n%s", out)
	}
}

// atRest shows how much memory each pod of Keywright has before anything happens.
func (s *story) atRest(t *testing.T) {
	for component, port := range map[string]string{"controller": "8080", "issuer": "8081"} {
		out := s.run(t, "for p in $(kubectl get pods -n keywright-system -l app.kubernetes.io/component="+component+" -o jsonpath='{.items[*].metadata.name}'); do "+
			"kubectl get --raw /api/v1/namespaces/keywright-system/pods/$p:"+port+"/proxy/metrics | awk '/^process_resident_memory_bytes/ {printf \"%.1f MiB  \", $2/1048576}'; done")
		t.Logf("%s at rest: %s", component, out)
	}
}

// helm is how the chart is installed and upgraded.
func helm(verb string, more ...string) string {
	return "helm " + verb + " keywright ./chart -n keywright-system --create-namespace --wait --timeout 3m -f values.yaml --set image.tag=" + tag +
		" --set image.registry=" + strings.TrimSuffix(registry(), "/") + " " + strings.Join(more, " ")
}

// noted runs a paragraph of the notes.
func (s *story) noted(t *testing.T, block string) {
	t.Helper()
	t.Logf("%s\n%s", block, s.feed(t, "read -rs PASSWORD\n"+strings.TrimPrefix(block, "read -rs PASSWORD\n"), s.password+"\n"))
}

func (s *story) serve(t *testing.T) {
	s.run(t, "kubectl label namespace keywright-system pod-security.kubernetes.io/enforce=restricted")
	startPods(t, s.shell, issuer, s.password)
	s.until(t, "both services verified tokens", func() bool { return reported(t, s.shell).Verified > 200 })
	s.doctor(t, "")
}

// until asks until something is so.
func (s *story) until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !so(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within five minutes: %s", what)
		}
	}
}

// key is the SigningKey as it is now.
func (s *story) key(t *testing.T) keywrightv1alpha1.SigningKey {
	t.Helper()
	var k keywrightv1alpha1.SigningKey
	check(t, json.Unmarshal([]byte(s.run(t, "kubectl get signingkey main -o json")), &k))
	return k
}
