// Package crd has a CustomResourceDefinition for programs that validate by it without an API server.
package crd

import _ "embed" // the file beside this one

// SigningKeys is the CustomResourceDefinition of SigningKeys, in YAML.
//
//go:embed keywright.dev_signingkeys.yaml
var SigningKeys []byte
