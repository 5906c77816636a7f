package main

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const crd = `
spec:
  group: example.com
  scope: Cluster
  names: {kind: Thing, plural: things}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        description: Thing is one.
        properties:
          spec:
            description: spec is what you ask for.
            required: [names]
            x-kubernetes-validations:
            - {message: inner.wait must be longer than size, fieldPath: .inner.wait}
            properties:
              size: {type: integer, description: size is how large., default: 3, minimum: 1, maximum: 9}
              mode: {type: string, description: mode says how., enum: [A, B], pattern: '^(A|B)$', maxLength: 1}
              names:
                type: array
                description: names are those.
                x-kubernetes-list-type: set
                maxItems: 4
                items: {type: string, maxLength: 5}
              inner:
                type: object
                description: inner is more.
                default: {}
                properties:
                  wait:
                    type: string
                    default: 1h
                    description: wait is how long.
                    x-kubernetes-validations: [{message: must be an hour}]
          status:
            description: status is a report.
            required: [at]
            properties:
              at: {type: string, format: date-time, description: at is when.}
`

func TestPage(t *testing.T) {
	var d definition
	if err := yaml.UnmarshalStrict([]byte(crd), &d); err != nil {
		t.Fatal(err)
	}
	got := chapter(d)
	for _, want := range []string{
		"| `size` | integer | `3` | How large. At least 1. At most 9. |\n",
		"| `mode` | string |  | Says how. One of `A`, `B`. At most 1 characters. Matches `^(A\\|B)$`. |\n",
		"| `names` | list of strings | required | Those. At most 4. None twice. Each: at most 5 characters. |\n",
		"| `inner` | object |  | More. |\n| &emsp;`wait` | string | `1h` | How long. inner.wait must be longer than size. Must be an hour. |\n",
		"| `at` | time | always | When. |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %s", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}
