package istio

import (
	"reflect"
	"strings"
	"testing"
	"unsafe"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
)

// keySet returns a JWKS of invalid keys with these kids.
func keySet(ids ...string) string {
	var keys []issuerfiles.PublicKey
	for _, id := range ids {
		keys = append(keys, issuerfiles.PublicKey{ID: id, JWK: []byte(`{"kty":"EC","crv":"P-256","x":"x","y":"y","alg":"ES256","use":"sig","kid":"` + id + `"}`)})
	}
	return string(issuerfiles.EncodeKeySet("ES256", keys))
}

var tombstone = string(issuerfiles.Tombstone("ES256"))

func asking(change ...func(*keywrightv1alpha1.SigningKey)) *keywrightv1alpha1.SigningKey {
	key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "main"}}
	key.Spec.Outputs = &keywrightv1alpha1.Outputs{Istio: &keywrightv1alpha1.IstioOutput{Issuer: "https://issuer", Audiences: []string{"a", "b"}}}
	for _, f := range change {
		f(key)
	}
	return key
}

// standing returns the RequestAuthentication that the controller writes for the key of asking.
func standing(keySet string) *RequestAuthentication {
	return &RequestAuthentication{newObject("shop", "keywright-main", nil, specOf(outputOf(asking()), keySet))}
}

func spec(issuer string, audiences []any, keySet string) map[string]any {
	return map[string]any{"jwtRules": []any{map[string]any{"issuer": issuer, "audiences": audiences, "jwks": keySet, "forwardOriginalToken": true}}}
}

func TestDecide(t *testing.T) {
	ab := []any{"a", "b"}
	deleted := func(k *keywrightv1alpha1.SigningKey) { k.DeletionTimestamp = &metav1.Time{} }
	silent := func(k *keywrightv1alpha1.SigningKey) { k.Spec.Outputs = nil }
	renamed := func(k *keywrightv1alpha1.SigningKey) { k.Spec.Outputs.Istio.Issuer = "https://new" }
	owned := standing(keySet("1"))
	owned.object.SetOwnerReferences([]metav1.OwnerReference{{Name: "x"}})
	widened := standing(keySet("1"))
	widened.object.Object["spec"].(map[string]any)["selector"] = map[string]any{}
	emptied := standing(keySet("1"))
	emptied.object.Object["spec"] = map[string]any{}
	unlabelled := standing(keySet("1"))
	unlabelled.object.SetLabels(nil)
	for name, c := range map[string]struct {
		s    state
		want action
	}{
		"asked for":                   {state{key: asking(), selected: true, requested: true, file: file{true, keySet("1")}}, action{spec: spec("https://issuer", ab, keySet("1"))}},
		"not asked for":               {state{key: asking(), selected: true, file: file{true, keySet("1")}}, action{}},
		"not selected":                {state{key: asking(), requested: true, file: file{true, keySet("1")}}, action{}},
		"no output":                   {state{key: asking(silent), selected: true, requested: true, file: file{true, keySet("1")}}, action{}},
		"no file yet":                 {state{key: asking(), selected: true, requested: true, file: file{known: true}}, action{}},
		"a file of somebody else":     {state{key: asking(), selected: true, requested: true}, action{}},
		"a tombstone begins none":     {state{key: asking(), selected: true, requested: true, file: file{true, tombstone}}, action{}},
		"a deletion begins none":      {state{key: asking(deleted), selected: true, requested: true, file: file{true, keySet("1")}}, action{}},
		"only revoked keys":           {state{key: asking(), selected: true, requested: true, file: file{true, keySet("1")}, revoked: []string{"1"}}, action{}},
		"as it should be":             {state{key: asking(), selected: true, requested: true, file: file{true, keySet("1")}, existing: standing(keySet("1"))}, action{}},
		"another key":                 {state{key: asking(), selected: true, requested: true, file: file{true, keySet("1", "2")}, existing: standing(keySet("1"))}, action{spec: spec("https://issuer", ab, keySet("1", "2"))}},
		"another issuer":              {state{key: asking(renamed), selected: true, requested: true, file: file{true, keySet("1")}, existing: standing(keySet("1"))}, action{spec: spec("https://new", ab, keySet("1"))}},
		"a selector of somebody else": {state{key: asking(), selected: true, requested: true, file: file{true, keySet("1")}, existing: widened}, action{spec: spec("https://issuer", ab, keySet("1"))}},
		"an owner of somebody else":   {state{key: asking(), selected: true, requested: true, file: file{true, keySet("1")}, existing: owned}, action{spec: spec("https://issuer", ab, keySet("1"))}},
		"no label":                    {state{key: asking(), selected: true, requested: true, file: file{true, keySet("1")}, existing: unlabelled}, action{spec: spec("https://issuer", ab, keySet("1"))}},
		"emptied":                     {state{key: asking(), selected: true, requested: true, file: file{true, keySet("1")}, existing: emptied}, action{spec: spec("https://issuer", ab, keySet("1"))}},
		"emptied, and no file":        {state{key: asking(), selected: true, requested: true, existing: emptied}, action{}},
		"no longer asked for":         {state{key: asking(), selected: true, file: file{true, keySet("1")}, existing: standing(keySet("1"))}, action{remove: true}},
		"no output any more":          {state{key: asking(silent), selected: true, requested: true, file: file{true, keySet("1")}, existing: standing(keySet("1"))}, action{remove: true}},
		"deselected: follows on":      {state{key: asking(), requested: true, file: file{true, keySet("1", "2")}, existing: standing(keySet("1"))}, action{spec: spec("https://issuer", ab, keySet("1", "2"))}},
		"deselected, over":            {state{key: asking(), requested: true, file: file{true, tombstone}, existing: standing(keySet("1"))}, action{spec: spec("https://issuer", ab, tombstone)}},
		"deleted: follows on":         {state{key: asking(deleted), selected: true, requested: true, file: file{true, tombstone}, existing: standing(keySet("1"))}, action{spec: spec("https://issuer", ab, tombstone)}},
		"retained: follows on":        {state{file: file{true, keySet("2")}, existing: standing(keySet("1", "2"))}, action{spec: spec("https://issuer", ab, keySet("2"))}},
		"retained, emptied":           {state{file: file{true, keySet("2")}, existing: emptied}, action{}},
		"its file is gone":            {state{file: file{known: true}, existing: standing(tombstone)}, action{remove: true}},
		"its ConfigMap is gone":       {state{existing: standing(keySet("1"))}, action{}},
		"revoked, file refused":       {state{key: asking(), selected: true, requested: true, file: file{true, keySet("1", "2")}, existing: standing(keySet("1", "2")), revoked: []string{"1"}}, action{spec: spec("https://issuer", ab, keySet("2"))}},
		"revoked, ConfigMap gone":     {state{key: asking(), selected: true, requested: true, existing: standing(keySet("1", "2")), revoked: []string{"1"}}, action{spec: spec("https://issuer", ab, keySet("2"))}},
		"all revoked":                 {state{key: asking(), selected: true, requested: true, existing: standing(keySet("1")), revoked: []string{"1"}}, action{spec: spec("https://issuer", ab, tombstone)}},
		"trusted by nobody, refused":  {state{key: asking(deleted), selected: true, requested: true, file: file{true, keySet("1")}, existing: standing(keySet("1")), tombstone: tombstone}, action{spec: spec("https://issuer", ab, tombstone)}},
		"a file of somebody else now": {state{key: asking(), selected: true, requested: true, existing: standing(keySet("1"))}, action{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := decide(c.s); !reflect.DeepEqual(got, c.want) {
				t.Errorf("it is\n%v, not\n%v", got, c.want)
			}
		})
	}
}

func TestFileIn(t *testing.T) {
	content := keySet("1")
	cm := func(record *desired.Record, data map[string]string) *corev1.ConfigMap {
		records := map[string]desired.Record{}
		if record != nil {
			records["main"] = *record
		}
		annotation, err := desired.EncodeRecords(records)
		if err != nil {
			t.Fatal(err)
		}
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{contract.ProjectionsAnnotation: annotation}}, Data: data}
	}
	stands := map[string]string{"main.json": content}
	for name, c := range map[string]struct {
		cm   *corev1.ConfigMap
		want file
	}{
		"no ConfigMap":          {nil, file{}},
		"as it was written":     {cm(&desired.Record{Digest: desired.Digest(content)}, stands), file{true, content}},
		"changed":               {cm(&desired.Record{Digest: "x"}, stands), file{}},
		"planted":               {cm(nil, stands), file{}},
		"deleted by somebody":   {cm(&desired.Record{Digest: desired.Digest(content)}, nil), file{}},
		"none":                  {cm(nil, nil), file{known: true}},
		"that of another kind":  {cm(&desired.Record{Digest: desired.Digest(content), Foreign: true}, stands), file{known: true}},
		"no annotation, a file": {&corev1.ConfigMap{Data: stands}, file{}},
	} {
		if got := fileIn(c.cm, "main"); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Labels and annotations of other clients stay, and no other content of theirs.
func TestWritten(t *testing.T) {
	before := standing(keySet("1"))
	before.object.SetLabels(map[string]string{"team": "a", contract.ManagedByLabel: "somebody"})
	before.object.SetAnnotations(map[string]string{"b": "c"})
	before.object.SetFinalizers([]string{"x"})
	before.object.SetResourceVersion("7")
	o := newObject("shop", "keywright-main", before, spec("i", nil, "k"))
	if want := map[string]string{"team": "a", contract.ManagedByLabel: contract.ManagedBy}; !reflect.DeepEqual(o.GetLabels(), want) {
		t.Errorf("labels are %v", o.GetLabels())
	}
	if o.GetAnnotations()["b"] != "c" || len(o.GetFinalizers()) != 0 || o.GetResourceVersion() != "7" {
		t.Errorf("it is %v", o.Object)
	}
	if before.object.GetLabels()[contract.ManagedByLabel] != "somebody" {
		t.Error("what a cache holds was changed")
	}
}

func TestKeySetsAreShared(t *testing.T) {
	var o Objects
	texts := map[*byte]bool{}
	for range 3 {
		u := standing(strings.Clone(keySet("1"))).object
		if _, err := o.slim(u); err != nil {
			t.Fatal(err)
		}
		texts[unsafe.StringData((&RequestAuthentication{u}).KeySet())] = true
	}
	if len(texts) != 1 {
		t.Errorf("three equal key sets are %d texts", len(texts))
	}
}
