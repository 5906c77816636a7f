package controllers

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

const selectsAll = "distribution: {namespaceSelector: {matchLabels: {}}}\n"

// parse returns a SigningKey from the YAML of its spec, like kubectl: the server gets unknown and ill-typed fields.
func parse(t *testing.T, name, spec string) *unstructured.Unstructured {
	t.Helper()
	var fields map[string]any
	if err := yaml.Unmarshal([]byte(spec), &fields); err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": keywrightv1alpha1.GroupVersion().String(), "kind": "SigningKey",
		"metadata": map[string]any{"name": name}, "spec": fields,
	}}
}

func TestAPIServerAcceptsWhatWorksAndRefusesWhatCannot(t *testing.T) {
	thumbprint := strings.Repeat("A", 43)
	var tooMany []string
	for i := range 257 {
		tooMany = append(tooMany, fmt.Sprintf("%043d", i))
	}
	timeline := func(interval, delay, lifetime, skew string) string {
		return fmt.Sprintf("rotation: {interval: %s}\ntoken: {maxLifetime: %s, clockSkew: %s}\n"+
			"distribution: {namespaceSelector: {matchLabels: {}}, propagationDelay: %s}", interval, lifetime, skew, delay)
	}
	output := func(issuer, audiences, selector string) string {
		return fmt.Sprintf("outputs: {istio: {issuer: %s, audiences: [%s], selector: {%s}}}\n", issuer, audiences, selector) + selectsAll
	}
	const asked = "matchLabels: {mesh: in}"
	for _, c := range []struct {
		name, spec string
		// refused is what the message must say, empty for a spec that is accepted.
		refused string
	}{
		{"minimal", selectsAll, ""},
		{"no selector", "distribution: {}", "namespaceSelector: Required value"},
		{"no spec", "", "Required value"},
		{"algorithm RS512", "algorithm: RS512\nrsaKeySize: 4096\n" + selectsAll, ""},
		{"algorithm EdDSA", "algorithm: EdDSA\n" + selectsAll, ""},
		{"algorithm PS256", "algorithm: PS256\n" + selectsAll, "supported values"},
		{"algorithm none", "algorithm: none\n" + selectsAll, "supported values"},
		{"rsaKeySize of 1024", "algorithm: RS256\nrsaKeySize: 1024\n" + selectsAll, "supported values"},
		{"rsaKeySize with ES256", "rsaKeySize: 2048\n" + selectsAll, "leave it out with ES256"},
		{"timeline exact", timeline("26m", "15m", "10m", "1m"), ""},
		{"timeline short", timeline("25m59s", "15m", "10m", "1m"), "spec.rotation.interval: Invalid value"},
		{"timeline in seconds", timeline("3s", "1s", "1s", "1s"), ""},
		{"interval below a second", timeline("500ms", "1s", "1s", "1s"), "must be between 1s and 87600h, for example 720h"},
		{"interval in days", "rotation: {interval: 30d}\n" + selectsAll, "should match"},
		{"interval negative", "rotation: {interval: -1h}\n" + selectsAll, "should match"},
		{"interval a number", "rotation: {interval: 30}\n" + selectsAll, "must be of type string"},
		{"interval of 11 years", "rotation: {interval: 96360h}\n" + selectsAll, "for example 720h"},
		{"maxLifetime a day", "token: {maxLifetime: 24h}\n" + selectsAll, ""},
		{"maxLifetime over a day", "token: {maxLifetime: 24h1s}\n" + selectsAll, "for example 1h"},
		{"clockSkew zero", "token: {clockSkew: 0s}\n" + selectsAll, "for example 1m"},
		{"propagationDelay zero", "distribution: {namespaceSelector: {matchLabels: {}}, propagationDelay: 0s}", "for example 15m"},
		{"selector empty", "distribution: {namespaceSelector: {}}", "or matchLabels: {} for every namespace"},
		{"selector misspelt", "distribution: {namespaceSelector: {matchLabel: {a: b}}}", "or matchLabels: {} for every namespace"},
		{"selector by expression", "distribution: {namespaceSelector: {matchExpressions: [{key: a, operator: Exists}]}}", ""},
		{"waitForTargets an hour", "rotation: {waitForTargets: 1h}\n" + selectsAll, ""},
		{"waitForTargets zero", "rotation: {waitForTargets: 0s}\n" + selectsAll, "for example 24h"},
		{"sessions by default", "sessions: {}\n" + selectsAll, ""},
		{"sessions of a month and a year", "sessions: {maxRefreshLifetime: 720h, maxSessionLifetime: 8760h}\n" + selectsAll, ""},
		{"refresh of a day more", "sessions: {maxRefreshLifetime: 744h, maxSessionLifetime: 744h}\n" + selectsAll, "for example 12h"},
		{"session of a day more", "sessions: {maxSessionLifetime: 8784h}\n" + selectsAll, "for example 720h"},
		{"session below refresh", "sessions: {maxRefreshLifetime: 12h, maxSessionLifetime: 1h}\n" + selectsAll, "maxSessionLifetime must be at least maxRefreshLifetime, for example 12h"},
		{"refresh zero", "sessions: {maxRefreshLifetime: 0s}\n" + selectsAll, "for example 12h"},
		{"mode unknown", "rotation: {mode: Sometimes}\n" + selectsAll, "supported values"},
		{"mode Manual", "rotation: {mode: Manual}\n" + selectsAll, ""},
		{"deletionPolicy unknown", "deletionPolicy: Orphan\n" + selectsAll, "supported values"},
		{"deletionPolicy Drain", "deletionPolicy: Drain\n" + selectsAll, ""},
		{"revoked one", "revokedKeyIDs: [" + thumbprint + "]\n" + selectsAll, ""},
		{"revoked twice", "revokedKeyIDs: [" + thumbprint + "," + thumbprint + "]\n" + selectsAll, "Duplicate value"},
		{"revoked too short", "revokedKeyIDs: [" + thumbprint[1:] + "]\n" + selectsAll, "should match"},
		{"revoked too long", "revokedKeyIDs: [" + thumbprint + "A]\n" + selectsAll, "may not be more than 43"},
		{"revoked too many", `revokedKeyIDs: ["` + strings.Join(tooMany, `","`) + "\"]\n" + selectsAll, "must have at most 256"},
		{"outputs empty", "outputs: {}\n" + selectsAll, "set an output, like istio"},
		{"outputs unknown", "outputs: {linkerd: {}}\n" + selectsAll, "set an output, like istio"},
		{"istio", output("https://issuer", "a", asked), ""},
		{"istio by expression", output("https://issuer", "a, b", "matchExpressions: [{key: mesh, operator: Exists}]"), ""},
		{"istio without anything", "outputs: {istio: {}}\n" + selectsAll, "Required value"},
		{"istio without an issuer", output(`""`, "a", asked), "spec.outputs.istio.issuer"},
		{"istio with a line break", output(`"a\nb"`, "a", asked), "must not have control characters"},
		{"istio without audiences", output("i", "", asked), "spec.outputs.istio.audiences"},
		{"istio with an audience twice", output("i", "a, a", asked), "Duplicate value"},
		{"istio with an empty audience", output("i", `""`, asked), "spec.outputs.istio.audiences"},
		{"istio with a tab in an audience", output("i", `"a\t"`, asked), "must not have control characters"},
		{"istio with 17 audiences", output("i", "1a, 2a, 3a, 4a, 5a, 6a, 7a, 8a, 9a, 10a, 11a, 12a, 13a, 14a, 15a, 16a, 17a", asked), "must have at most 16 items"},
		{"istio everywhere", output("i", "a", "matchLabels: {}"), "must select namespaces, for example"},
		{"istio with an empty selector", output("i", "a", ""), "must select namespaces, for example"},
		{"istio with no expressions", output("i", "a", "matchExpressions: []"), "must select namespaces, for example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			key := parse(t, "rules-"+strings.ToLower(strings.ReplaceAll(c.name, " ", "-")), c.spec)
			err := admin(t).Create(t.Context(), key)
			wantRefusal(t, err, c.refused)
		})
	}
}

// wantRefusal checks that an object is refused as invalid with a message, or accepted if the message is empty.
func wantRefusal(t *testing.T, err error, says string) {
	t.Helper()
	switch {
	case says == "" && err != nil:
		t.Fatalf("refused: %v", err)
	case says == "":
	case err == nil:
		t.Fatal("accepted")
	case !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), says):
		t.Fatalf("the message does not say %q: %v", says, err)
	}
}

func TestRefusalOfATimelineNamesAValueThatWouldDo(t *testing.T) {
	c := admin(t)
	key := parse(t, "rules-suggestion", "rotation: {interval: 10m}\n"+selectsAll)
	err := c.Create(t.Context(), key)
	if err == nil {
		t.Fatal("accepted")
	}
	suggestion := regexp.MustCompile(`for example ([0-9hms]+)`).FindStringSubmatch(err.Error())
	if suggestion == nil {
		t.Fatalf("no value in: %v", err)
	}
	key = parse(t, "rules-suggestion", "rotation: {interval: "+suggestion[1]+"}\n"+selectsAll)
	if err := c.Create(t.Context(), key); err != nil {
		t.Fatalf("the suggested value is refused: %v", err)
	}
}

func TestNameIsBounded(t *testing.T) {
	c := admin(t)
	if err := c.Create(t.Context(), parse(t, strings.Repeat("n", 200), selectsAll)); err != nil {
		t.Errorf("200 characters are refused: %v", err)
	}
	err := c.Create(t.Context(), parse(t, strings.Repeat("n", 201), selectsAll))
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "at most 200 characters") {
		t.Errorf("201 characters: %v", err)
	}
}

func TestKeyTypeMayNotChange(t *testing.T) {
	c := admin(t)
	types := map[string][]string{"ES256": {"ES384", "ES512"}, "RS256": {"RS384", "RS512"}, "EdDSA": {"EdDSA"}}
	for from := range types {
		key := parse(t, "rules-from-"+strings.ToLower(from), "algorithm: "+from+"\n"+selectsAll)
		if err := c.Create(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		for of, others := range types {
			for _, to := range append(others, of) {
				err := patch(t, c, key, to)
				if allowed := of == from; allowed != (err == nil) {
					t.Errorf("from %s to %s: %v", from, to, err)
				} else if !allowed && !strings.Contains(err.Error(), "create a second SigningKey") {
					t.Errorf("from %s to %s: the message does not say what to do: %v", from, to, err)
				}
			}
		}
		if err := patch(t, c, key, from); err != nil {
			t.Errorf("back to %s: %v", from, err)
		}
	}
}

func patch(t *testing.T, c client.Client, key client.Object, algorithm string) error {
	t.Helper()
	p := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"algorithm":%q}}`, algorithm))
	return c.Patch(t.Context(), key, p)
}

func TestDefaults(t *testing.T) {
	c := admin(t)
	if err := c.Create(t.Context(), parse(t, "rules-defaults", selectsAll)); err != nil {
		t.Fatal(err)
	}
	var key keywrightv1alpha1.SigningKey
	if err := c.Get(t.Context(), client.ObjectKey{Name: "rules-defaults"}, &key); err != nil {
		t.Fatal(err)
	}
	s := key.Spec
	got := fmt.Sprintln(s.Algorithm, s.Rotation.Mode, s.Rotation.Interval.Duration, s.Token.MaxLifetime.Duration,
		s.Token.ClockSkew.Duration, s.Distribution.PropagationDelay.Duration, s.DeletionPolicy)
	if diff := cmp.Diff("ES256 Automatic 720h0m0s 1h0m0s 1m0s 15m0s Retain", strings.Join(strings.Fields(got), " ")); diff != "" {
		t.Error(diff)
	}
}

func TestDocumentedSigningKeysAreAccepted(t *testing.T) {
	for i, path := range []string{"README.md", "docs/signingkey.md", "config/samples/signingkey.yaml"} {
		b, err := os.ReadFile(filepath.Join("..", path))
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		if block := regexp.MustCompile("(?s)```yaml\n(apiVersion: keywright.*?)```").FindStringSubmatch(text); block != nil {
			text = block[1]
		}
		var key unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(text), &key); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		key.SetName(fmt.Sprintf("documented-%d", i))
		if err := admin(t).Create(t.Context(), &key, client.FieldValidation("Strict")); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}
