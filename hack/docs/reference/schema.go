package main

// definition is what is read of a CustomResourceDefinition.
type definition struct {
	Spec struct {
		Group    string    `json:"group"`
		Scope    string    `json:"scope"`
		Names    names     `json:"names"`
		Versions []version `json:"versions"`
	} `json:"spec"`
}

type names struct {
	Kind   string `json:"kind"`
	Plural string `json:"plural"`
}

type version struct {
	Name    string   `json:"name"`
	Columns []column `json:"additionalPrinterColumns"`
	Schema  struct {
		Root schema `json:"openAPIV3Schema"`
	} `json:"schema"`
}

// column is one of what `kubectl get` shows; with a priority it is shown with -o wide only.
type column struct {
	Name     string `json:"name"`
	JSONPath string `json:"jsonPath"`
	Priority int    `json:"priority"`
}

// schema is a structural schema, as far as this CRD goes.
type schema struct {
	Type        string            `json:"type"`
	Format      string            `json:"format"`
	Description string            `json:"description"`
	Default     any               `json:"default"`
	Enum        []any             `json:"enum"`
	Pattern     string            `json:"pattern"`
	MaxLength   *int64            `json:"maxLength"`
	MinLength   *int64            `json:"minLength"`
	MaxItems    *int64            `json:"maxItems"`
	Minimum     *float64          `json:"minimum"`
	Maximum     *float64          `json:"maximum"`
	ListType    string            `json:"x-kubernetes-list-type"`
	Required    []string          `json:"required"`
	Properties  map[string]schema `json:"properties"`
	Items       *schema           `json:"items"`
	Rules       []rule            `json:"x-kubernetes-validations"`
}

// rule is a CEL rule. Its message says what would be right; fieldPath says which field is to blame.
type rule struct {
	Message   string `json:"message"`
	FieldPath string `json:"fieldPath"`
}
