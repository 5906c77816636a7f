package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// openAPI is a part of the OpenAPI schema of the CRD.
type openAPI struct {
	Type                string
	Properties          map[string]*openAPI
	Required            []string
	Enum                []any
	MaxItems, MaxLength int
	Description         string
	Rules               []struct{ Rule string } `json:"x-kubernetes-validations"`
}

// readSchema returns the schema of a SigningKey's spec.
func readSchema() (*openAPI, error) {
	b, err := os.ReadFile(filepath.Join("..", "..", "config", "crd", "keywright.dev_signingkeys.yaml"))
	if err != nil {
		return nil, err
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct{ OpenAPIV3Schema openAPI }
			}
		}
	}
	if err := yaml.Unmarshal(b, &crd); err != nil {
		return nil, err
	}
	return crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"], nil
}

// verdict is the expected response of the API server to a value.
type verdict int

const (
	// valid values may be refused only in combination with other fields.
	valid verdict = iota
	invalid
	// either is for null, which the API server drops or refuses.
	either
)

// change sets or removes a field of a spec.
type change struct {
	path    []string
	value   any
	removed bool
	verdict verdict
}

// field is a field in the schema.
type field struct {
	path     []string
	schema   *openAPI
	required bool
}

// fieldsOf returns all fields below an object, sorted. A selector is one field, and so are the outputs.
func fieldsOf(s *openAPI, path ...string) (all []field) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		child := s.Properties[name]
		at := append(slices.Clone(path), name)
		all = append(all, field{at, child, slices.Contains(s.Required, name)})
		if !isSelector(child) && !isOutputs(child) {
			all = append(all, fieldsOf(child, at...)...)
		}
	}
	return all
}

func isSelector(s *openAPI) bool {
	_, is := s.Properties["matchExpressions"]
	return is
}

// isName reports whether a field accepts any text up to a length.
func isName(s *openAPI) bool {
	return s.Type == "string" && len(s.Enum) == 0 && len(s.Rules) == 0 && s.MaxLength > 0
}

func isOutputs(s *openAPI) bool { return s.Properties["istio"] != nil }

// generator generates values for fields, for one sequence.
type generator struct {
	*rand.Rand
	fields []field
	// name is the label key of the sequence's namespaces.
	name string
}

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

// changes returns the changes of a step: one to three fields, none inside another. kids are keys that can be revoked.
func (g *generator) changes(spec map[string]any, kids []string) (all []change) {
	if g.IntN(4) == 0 {
		return g.toRotate(spec)
	}
	within := func(a, b []string) bool { return len(a) <= len(b) && slices.Equal(a, b[:len(a)]) }
	for range 1 + g.IntN(3) {
		f := g.fields[g.IntN(len(g.fields))]
		if !slices.ContainsFunc(all, func(c change) bool { return within(c.path, f.path) || within(f.path, c.path) }) {
			all = append(all, g.change(f, kids))
		}
	}
	return all
}

// toRotate returns changes after which keys rotate within seconds, with a short lifetime, since random changes rarely
// do that.
func (g *generator) toRotate(spec map[string]any) []change {
	now, is := spec["algorithm"].(string)
	if !is {
		now = "ES256" // the default
	}
	algorithms := map[string][]string{"ES": {"ES256", "ES384", "ES512"}, "RS": {"RS256", "RS384"}, "Ed": {"EdDSA"}}[now[:2]]
	return []change{
		{path: []string{"algorithm"}, value: pick(g, algorithms...)},
		{path: []string{"token"}, value: map[string]any{"maxLifetime": pick(g, "1s", "2s", "30s"), "clockSkew": "1s"}},
		{path: []string{"rotation", "interval"}, value: pick(g, "4s", "33s")},
	}
}

func (g *generator) change(f field, kids []string) change {
	c := change{path: f.path}
	switch n := g.IntN(20); {
	case n == 0:
		c.verdict = either // value is nil, which is null
		if f.required {
			c.verdict = invalid
		}
	case n <= 2:
		c.removed = true
		if f.required {
			c.verdict = invalid
		}
	case n <= 7:
		c.value, c.verdict = g.invalid(f.schema), invalid
	default:
		c.value = g.valid(f.schema, kids)
		if c.value == nil { // an object with required fields
			c.value, c.verdict = map[string]any{}, invalid
		}
	}
	return c
}

// valid returns a value that the schema of a field accepts, nil if it has none for an object.
func (g *generator) valid(s *openAPI, kids []string) any {
	switch {
	case isSelector(s):
		return g.selector()
	case isOutputs(s):
		return g.outputs(pick(g, "https://issuer.example.com", "issuer"), []any{"a", "b"}, matchLabels("mesh", "nobody"))
	case s.Type == "object" && len(s.Required) > 0:
		return nil
	case s.Type == "object":
		return map[string]any{}
	case s.Type == "array":
		return g.revoked(kids)
	case s.Type == "boolean":
		return pick(g, true, false)
	case s.Type == "integer":
		return pick[any](g, 2048, 2048, 2048, 3072)
	case len(s.Enum) > 0:
		return pick(g, s.Enum...)
	case isName(s):
		return pick(g, "a", "issuer-ca", "keywright-jwks", "Not/a name", strings.Repeat("x", s.MaxLength)) // there is no such CA
	default:
		low, high := boundsOf(s)
		return pick(g, low, high, "1s", "2s", "3s", "5s", "10s", "90s", "1h", "1500ms", "0h0m2s", "1s1s1s1ms", strings.Repeat("0", 29)+"10s")
	}
}

// invalid returns a value that the schema of a field refuses.
func (g *generator) invalid(s *openAPI) any {
	switch {
	case isSelector(s):
		return pick[any](g, map[string]any{}, "all", []any{}, map[string]any{"matchLabels": "a"}, map[string]any{"matchExpressions": map[string]any{}},
			map[string]any{"matchExpressions": []any{map[string]any{"key": "a"}}}, map[string]any{"matchLabels": map[string]any{"a": 1}})
	case isOutputs(s):
		return pick[any](g, map[string]any{}, map[string]any{"istio": map[string]any{}}, map[string]any{"istio": 5}, "istio",
			g.outputs("", []any{"a"}, matchLabels("mesh", "a")), g.outputs("i", []any{}, matchLabels("mesh", "a")), g.outputs("i\n", []any{"a"}, matchLabels("mesh", "a")),
			g.outputs("i", []any{"a", "a"}, matchLabels("mesh", "a")), g.outputs("i", []any{"a"}, matchLabels()), g.outputs("i", []any{"a"}, map[string]any{}),
			g.outputs("i", []any{""}, matchLabels("mesh", "a")), g.outputs("i", []any{"a\t"}, matchLabels("mesh", "a")))
	case s.Type == "object":
		return pick[any](g, "x", 5, []any{}, true)
	case s.Type == "array":
		const kid = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		many := make([]any, s.MaxItems+1)
		for i := range many {
			many[i] = fmt.Sprintf("%043d", i)
		}
		return pick[any](g, []any{kid, kid}, []any{"short"}, []any{kid + "A"}, []any{kid[1:] + "+"}, []any{""}, []any{5}, many, kid, map[string]any{})
	case s.Type == "boolean":
		return pick[any](g, "true", "", 1, []any{}, map[string]any{})
	case s.Type == "integer":
		return pick[any](g, 1024, 0, -2048, 1<<40, "2048", 2048.5, true)
	case isName(s):
		return pick[any](g, "", strings.Repeat("x", s.MaxLength+1), 5, true, []any{}, map[string]any{})
	case len(s.Enum) > 0:
		return pick[any](g, "", "none", "es256", "ES256 ", strings.Repeat("A", 10000), 256, true, []any{})
	default:
		_, high := boundsOf(s)
		return pick[any](g, "", "0s", "-1s", "1", "s", "1.5h", "999ms", "1us", "1s ", high+"1s", "9999999999999999999h", "1d", "∞",
			strings.Repeat("0", s.MaxLength)+"1s", 5, -5, true, map[string]any{}, []any{})
	}
}

var bounds = regexp.MustCompile(`duration\(self\) >= duration\('(\w+)'\) && duration\(self\) <= duration\('(\w+)'\)`)

// boundsOf reads the bounds of a duration from its rule in the CRD.
func boundsOf(s *openAPI) (low, high string) {
	for _, rule := range s.Rules {
		if m := bounds.FindStringSubmatch(rule.Rule); m != nil {
			return m[1], m[2]
		}
	}
	panic("a string of the CRD has neither an enum nor bounds: say here which values it takes: " + s.Description)
}

// selector returns a value that the CRD accepts, which may still be an invalid selector.
func (g *generator) selector() any {
	expressions := func(all ...any) any {
		if all == nil {
			all = []any{} // not null
		}
		return map[string]any{"matchExpressions": all}
	}
	expression := func(operator string, values ...any) any {
		e := map[string]any{"key": g.name, "operator": operator}
		if values != nil {
			e["values"] = values
		}
		return e
	}
	return pick(g,
		matchLabels(g.name, "a"), matchLabels(g.name, "b"), matchLabels(g.name, "nobody"), matchLabels(),
		expressions(), expressions(expression("Exists")), expressions(expression("DoesNotExist")), expressions(expression("In", "a", "b")),
		expressions(expression("NotIn", "a")), expressions(expression("Exists"), expression("NotIn", "b")),
		// These are invalid selectors.
		expressions(expression("Bogus")), expressions(expression("In")), expressions(expression("Exists", "a")),
		matchLabels("no key!", "a"), matchLabels(g.name, strings.Repeat("x", 64)), matchLabels(g.name, "no value!"),
	)
}

// outputs returns an output. No RequestAuthentication is written in these tests.
func (g *generator) outputs(issuer string, audiences []any, selector any) any {
	return map[string]any{"istio": map[string]any{"issuer": issuer, "audiences": audiences, "selector": selector}}
}

func matchLabels(pairs ...string) any {
	all := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return map[string]any{"matchLabels": all}
}

// revoked returns keys to revoke: of the SigningKey, or unknown ones.
func (g *generator) revoked(kids []string) any {
	all := []any{}
	for _, kid := range kids {
		if g.IntN(3) == 0 {
			all = append(all, kid)
		}
	}
	if g.IntN(2) == 0 {
		all = append(all, fmt.Sprintf("unknown%036d", g.Uint64N(1e18)))
	}
	return all
}

// first returns the first spec of a sequence, to which it returns. Its times are short, except for the token lifetime.
func (g *generator) first() map[string]any {
	lifetime := pick(g, 2*time.Second, time.Minute, time.Hour)
	return map[string]any{
		"algorithm":      pick(g, "ES256", "ES256", "ES256", "ES384", "ES512", "EdDSA", "RS256"),
		"deletionPolicy": pick(g, "Retain", "Drain", "Delete"),
		"rotation":       map[string]any{"interval": (lifetime + pick(g, 2*time.Second, 4*time.Second, 24*time.Hour)).String()},
		"token":          map[string]any{"maxLifetime": lifetime.String(), "clockSkew": "1s"},
		"distribution":   map[string]any{"propagationDelay": "1s", "namespaceSelector": matchLabels(g.name, "a")},
	}
}

// with returns a spec with changes made.
func with(spec map[string]any, changes []change) map[string]any {
	spec = runtime.DeepCopyJSON(normal(spec))
	for _, c := range changes {
		in := spec
		for _, name := range c.path[:len(c.path)-1] {
			next, is := in[name].(map[string]any)
			if !is {
				next = map[string]any{}
				in[name] = next
			}
			in = next
		}
		if last := c.path[len(c.path)-1]; c.removed {
			delete(in, last)
		} else {
			in[last] = c.value
		}
	}
	return normal(spec)
}

// normal returns a spec as JSON has it.
func normal(spec map[string]any) (out map[string]any) {
	b, err := yaml.Marshal(spec)
	if err == nil {
		err = yaml.Unmarshal(b, &out)
	}
	if err != nil {
		panic(err)
	}
	return out
}
