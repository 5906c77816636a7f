package distribution

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/desired"
)

// written returns the ConfigMap of a composition.
func written(t *testing.T, c composition) *corev1.ConfigMap {
	t.Helper()
	annotation, err := desired.EncodeRecords(c.records)
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Labels: map[string]string{contract.ManagedByLabel: contract.ManagedBy}, Annotations: map[string]string{contract.ProjectionsAnnotation: annotation},
		},
		Data: maps.Clone(c.data),
	}
}

func withCA(ca string) desired.Projection {
	return desired.Projection{Generation: 1, Files: desired.Files{KeySet: `{"keys":[]}`, Revoked: "{}", CA: ca}, Selector: labels.Everything()}
}

func TestCAFileMatchesTheProjection(t *testing.T) {
	now := time.Now()
	one := func(p desired.Projection) map[string]desired.Projection { return map[string]desired.Projection{"a": p} }
	// settled reports whether the next composition writes nothing.
	settled := func(t *testing.T, c composition, p desired.Projection) bool {
		cm := written(t, c)
		again := compose(now.Add(2*time.Second), target{cm: cm}, one(p))
		return again.matches(cm)
	}
	first := compose(now, target{}, one(withCA("one")))
	cm := written(t, first)
	if cm.Data["a.tls-ca.crt"] != "one" || !settled(t, first, withCA("one")) {
		t.Fatalf("the first one: %v", cm.Data)
	}
	for name, c := range map[string]struct {
		projection desired.Projection
		found      string
		want       string
		unexpected bool
	}{
		"another one":                {withCA("two"), "one", "two", false},
		"none any more":              {withCA(""), "one", "", false},
		"forged":                     {withCA("one"), "forged", "one", true},
		"deleted":                    {withCA("one"), "", "one", false},
		"planted, where none is":     {withCA(""), "forged", "", true},
		"unknown":                    {desired.Projection{Files: desired.Files{KeySet: "x", KeepCA: true}, Selector: labels.Everything()}, "one", "one", false},
		"unknown and forged":         {desired.Projection{Files: desired.Files{KeySet: "x", KeepCA: true}, Selector: labels.Everything()}, "forged", "", true},
		"frozen":                     {desired.Projection{Frozen: true}, "one", "one", false},
		"frozen and forged":          {desired.Projection{Frozen: true}, "forged", "", true},
		"a namespace that is over":   {desired.Projection{Selector: labels.Nothing(), Tombstone: string(issuerfiles.Tombstone("ES256"))}, "one", "", false},
		"a namespace that is kept":   {desired.Projection{Selector: labels.Nothing(), KeepFor: time.Hour, Files: withCA("two").Files}, "one", "two", false},
		"a keyring that is retained": {desired.Projection{Files: withCA("one").Files}, "one", "one", false},
	} {
		t.Run(name, func(t *testing.T) {
			stands := cm.DeepCopy()
			stands.Data["a.json"] = `{"keys":[{}]}`
			stands.Data["a.tls-ca.crt"] = c.found
			if c.found == "" {
				delete(stands.Data, "a.tls-ca.crt")
			}
			got := compose(now.Add(2*time.Second), target{cm: stands}, one(c.projection))
			if got.data["a.tls-ca.crt"] != c.want {
				t.Errorf("it is %q", got.data["a.tls-ca.crt"])
			}
			if planted := slices.Contains(got.unexpected, "a.tls-ca.crt"); planted != c.unexpected {
				t.Errorf("unexpected are %v", got.unexpected)
			}
			if !settled(t, got, c.projection) {
				t.Errorf("it is written again and again: %v", got.data)
			}
		})
	}
}

// A tombstone, and a name without a projection, have no CA.
func TestTombstoneHasNoCA(t *testing.T) {
	keySet := string(issuerfiles.Tombstone("ES256"))
	cm := written(t, compose(time.Now(), target{}, map[string]desired.Projection{"a": withCA("one")}))
	cm.Data["a.json"] = keySet
	for name, projections := range map[string]map[string]desired.Projection{
		"of a namespace that was deselected": {"a": {Selector: labels.Nothing(), KeepFor: time.Hour, Files: withCA("one").Files}},
		"of a SigningKey that is gone":       {},
	} {
		if got := compose(time.Now(), target{cm: cm}, projections); got.data["a.json"] != keySet || got.data["a.tls-ca.crt"] != "" {
			t.Errorf("%s: %v", name, got.data)
		}
	}
}

// Names may have dots, and end like files.
func TestNoTwoNamesHaveOneFile(t *testing.T) {
	projections := map[string]desired.Projection{}
	for _, name := range []string{"a", "a.json", "a.tls-ca.crt", "a.tls-ca", "a.revoked", "a.tls-ca.crt.json", "tls-ca.crt", "json"} {
		p := withCA("the CA of " + name)
		p.Files.KeySet, p.Files.Revoked = "the keys of "+name, "the list of "+name
		projections[name] = p
	}
	got := compose(time.Now(), target{}, projections)
	if len(got.data) != 3*len(projections) {
		t.Fatalf("%d files of %d names", len(got.data), len(projections))
	}
	for file, content := range got.data {
		if name, ok := nameOfFile(file); !ok || !strings.HasSuffix(content, " of "+name) {
			t.Errorf("%s is taken for a file of %q: %s", file, name, content)
		}
	}
	// Some gateways read the first entry.
	for name := range projections {
		files := []string{name + contract.CASuffix, name + contract.RevokedSuffix, name + contract.JWKSSuffix}
		if slices.Sort(files); files[0] != name+contract.JWKSSuffix {
			t.Errorf("of %v the key set is not the first", files)
		}
	}
}

// A CA that has no room does not displace a key, and does not replace the existing CA.
func TestCAThatDoesNotFitIsOmitted(t *testing.T) {
	large := withCA(strings.Repeat("x", 100))
	large.Files.KeySet = strings.Repeat("k", maxBytes-50)
	got := compose(time.Now(), target{}, map[string]desired.Projection{"a": large})
	if got.data["a.tls-ca.crt"] != "" || len(got.data["a.json"]) != maxBytes-50 || !slices.Equal(got.leftOut, []string{"a.tls-ca.crt"}) {
		t.Errorf("left out are %v", got.leftOut)
	}
	small := large
	small.Files.CA = "small"
	cm := written(t, compose(time.Now(), target{}, map[string]desired.Projection{"a": small}))
	got = compose(time.Now(), target{cm: cm}, map[string]desired.Projection{"a": large})
	if got.data["a.tls-ca.crt"] != "small" || !slices.Equal(got.leftOut, []string{"a.tls-ca.crt"}) {
		t.Errorf("it is %q, and left out are %v", got.data["a.tls-ca.crt"], got.leftOut)
	}
}
