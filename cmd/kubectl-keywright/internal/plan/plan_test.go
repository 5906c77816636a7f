package plan

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
)

func TestPlan(t *testing.T) {
	file := filepath.Join("..", "..", "..", "..", "config", "samples", "signingkey.yaml")
	out, _, err := plugintest.Run(t, "", "plan", "-f", file, "--rotations", "2")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out, "Activate"); n != 3 || !strings.Contains(out, "TokensExpired") {
		t.Errorf("%d activations:\n%s", n, out)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	manual := strings.Replace(string(b), "interval: 720h", "mode: Manual", 1)
	if out, _, err := plugintest.Run(t, manual, "plan", "-f", "-"); err != nil || !strings.Contains(out, "no further change without a request") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, pipe := range []string{"kind: Namespace\n---\n" + string(b), string(b) + "\n---\n# nothing\n"} {
		var said struct{ Moves []plannedMove }
		out, _, err := plugintest.Run(t, pipe, "plan", "-f", "-", "-o", "json")
		if err != nil || json.Unmarshal([]byte(out), &said) != nil || len(said.Moves) < 4 || said.Moves[1].Move != "Activate" || said.Moves[0].Time.IsZero() {
			t.Errorf("among other documents: %v\n%s", err, out)
		}
	}
	if _, _, err := plugintest.Run(t, string(b)+"\n---\n"+string(b), "plan", "-f", "-"); err == nil || !strings.Contains(err.Error(), "it has 2 SigningKeys of keywright.dev/v1alpha1, and must have exactly one") {
		t.Errorf("two SigningKeys: %v", err)
	}
	for was, is := range map[string]string{"interval: 720h": "interval: 1h", "interval: ": "intervall: ", "kind: SigningKey": "kind: Pod"} {
		if out, _, err := plugintest.Run(t, strings.Replace(string(b), was, is, 1), "plan", "-f", "-"); err == nil {
			t.Errorf("%s is accepted:\n%s", is, out)
		}
	}
}

// The calendar of a Manual SigningKey ends, although sealing keys continue to rotate.
func TestPlanOfManualSessionsIsFinite(t *testing.T) {
	out, _, err := plugintest.RunOffline(t, "{apiVersion: keywright.dev/v1alpha1, kind: SigningKey, metadata: {name: a}, spec: {rotation: {mode: Manual}, sessions: {}, "+
		"distribution: {namespaceSelector: {matchLabels: {}}}}}", "plan", "-f", "-")
	if err != nil || !strings.Contains(out, "no further change") {
		t.Errorf("%v\n%s", err, out)
	}
}

// plan accepts, refuses and defaults SigningKeys as the API server does.
func TestPlanAdmitsWhatTheAPIServerDoes(t *testing.T) {
	plugintest.StartCluster(t)
	const selector = "distribution: {namespaceSelector: {matchLabels: {}}}"
	for spec, refusal := range map[string]string{
		selector: "",
		"sessions: {}, distribution: {namespaceSelector: {matchLabels: {a: b}}, caConfigMap: {name: ca}}": "",
		"rotation: {interval: 168h, mode: Automatic}, algorithm: RS256, rsaKeySize: 3072, " + selector:    "",
		"outputs: {istio: {issuer: i, audiences: [a], selector: {matchLabels: {a: b}}}}, " + selector:     "",
		"algorithm: HS256, " + selector:                   "spec.algorithm should be one of [ES256 ",
		"algorithm: 7, " + selector:                       "spec.algorithm must be of type string",
		"distribution: {}":                                "spec.distribution.namespaceSelector is required",
		"distribution: {namespaceSelector: {}}":           "spec.distribution.namespaceSelector: must select namespaces",
		"rotation: {interval: 1h}, " + selector:           "spec.rotation.interval: rotation.interval must be at least distribution.propagationDelay + token.maxLifetime + token.clockSkew, for example 15m1h1m",
		"rotation: {interval: 30d}, " + selector:          "spec.rotation.interval should match",
		"token: {maxLifetime: 48h}, " + selector:          "spec.token.maxLifetime: must be between 1s and 24h, for example 1h",
		"rsaKeySize: 2048, " + selector:                   "spec.rsaKeySize: rsaKeySize is for RS256, RS384 and RS512 only: leave it out with ES256",
		"rsaKeySize: 1024, algorithm: RS256, " + selector: "spec.rsaKeySize should be one of",
		"sessions: {maxSessionLifetime: 1h}, " + selector: "spec.sessions.maxSessionLifetime: maxSessionLifetime must be at least maxRefreshLifetime, for example 12h",
		"outputs: {}, " + selector:                        "spec.outputs: set an output",
		"outputs: {istio: {issuer: \"a\\n\", audiences: [\"\\n\"], selector: {matchLabels: {a: b}}}}, " + selector: "must not have control characters",
	} {
		text := "{apiVersion: keywright.dev/v1alpha1, kind: SigningKey, metadata: {name: admit}, spec: {" + spec + "}}"
		var theirs unstructured.Unstructured
		var ours map[string]any
		if err := yaml.Unmarshal([]byte(text), &theirs.Object); err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal([]byte(text), &ours); err != nil {
			t.Fatal(err)
		}
		refused, err := plugintest.Admin().Create(t.Context(), &theirs, client.DryRunAll), admit(ours)
		if (refused == nil) != (refusal == "") || (err == nil) != (refusal == "") || err != nil && !strings.Contains(err.Error(), refusal) {
			t.Errorf("%s: want %q, got %v; the API server says %v", spec, refusal, err, refused)
		}
		if err == nil {
			got, _ := json.Marshal(ours["spec"])
			if want, _ := json.Marshal(theirs.Object["spec"]); string(got) != string(want) {
				t.Errorf("%s: filled in %s\nthe API server %s", spec, got, want)
			}
		}
	}
	if _, _, err := plugintest.Run(t, "{apiVersion: keywright.dev/v1alpha1, kind: SigningKey, metadata: {name: A_b}, spec: {"+selector+"}}", "plan", "-f", "-"); err == nil || !strings.Contains(err.Error(), "metadata.name: a lowercase") {
		t.Errorf("a name that no object has: %v", err)
	}
}
