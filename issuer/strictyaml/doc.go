// Package strictyaml parses YAML or JSON documents strictly. It reports each error once, with line, field and the
// nearest known name, and without any value, because values may be secret.
package strictyaml
