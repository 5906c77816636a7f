package plan

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
	"sigs.k8s.io/yaml"

	"github.com/keywright/keywright/config/crd"
)

// admit sets the defaults of a SigningKey, and returns an error if the API server would refuse it, by the CustomResourceDefinition.
func admit(object map[string]any) error {
	schema, err := signingKeySchema()
	if err != nil {
		return err
	}
	setDefaults(schema, object)
	problems := nameProblems(object)
	for _, err := range validate.NewSchemaValidator(schema, nil, "", strfmt.Default).Validate(object).Errors {
		problems = append(problems, strings.Replace(err.Error(), " in body", "", 1))
	}
	if len(problems) == 0 { // rules require valid types
		if problems, err = brokenRules(schema, object, ""); err != nil {
			return err
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("the API server would refuse it: %s", strings.Join(problems, "; "))
	}
	return nil
}

func signingKeySchema() (*spec.Schema, error) {
	var definition struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema spec.Schema `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(crd.SigningKeys, &definition); err != nil {
		return nil, err
	}
	if len(definition.Spec.Versions) != 1 {
		return nil, errors.New("the CustomResourceDefinition has more versions than one")
	}
	return &definition.Spec.Versions[0].Schema.OpenAPIV3Schema, nil
}

// setDefaults sets the defaults of missing fields, as the API server does.
func setDefaults(schema *spec.Schema, value any) {
	object, ok := value.(map[string]any)
	if !ok {
		return
	}
	for name, property := range schema.Properties {
		if object[name] == nil && property.Default != nil {
			object[name] = runtime.DeepCopyJSONValue(property.Default)
		}
		setDefaults(&property, object[name])
	}
}

// nameProblems returns what is wrong with the name, which the schema does not validate.
func nameProblems(object map[string]any) []string {
	metadata, _ := object["metadata"].(map[string]any)
	name, _ := metadata["name"].(string)
	if generated, _ := metadata["generateName"].(string); name == "" && generated != "" {
		return nil
	}
	var problems []string
	for _, problem := range validation.NameIsDNSSubdomain(name, false) {
		problems = append(problems, "metadata.name: "+problem)
	}
	return problems
}

// schemaRule is one of x-kubernetes-validations.
type schemaRule struct {
	Rule, Message, MessageExpression, FieldPath string
}

// brokenRules returns the rules of a schema that a value breaks. It skips transition rules (oldSelf).
func brokenRules(schema *spec.Schema, value any, path string) (problems []string, err error) {
	if value == nil {
		return nil, nil
	}
	var rules []schemaRule
	if err := schema.Extensions.GetObject("x-kubernetes-validations", &rules); err != nil {
		return nil, err
	}
	for _, rule := range rules {
		if strings.Contains(rule.Rule, "oldSelf") {
			continue
		}
		valid, err := evaluate(rule.Rule, value)
		if err != nil {
			return nil, err
		}
		if valid == true {
			continue
		}
		if said, err := evaluate(rule.MessageExpression, value); err == nil && rule.MessageExpression != "" {
			rule.Message = fmt.Sprint(said)
		}
		problems = append(problems, strings.TrimPrefix(path+rule.FieldPath, ".")+": "+rule.Message)
	}
	object, _ := value.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		property := schema.Properties[name]
		more, err := brokenRules(&property, object[name], path+"."+name)
		if err != nil {
			return nil, err
		}
		problems = append(problems, more...)
	}
	return problems, nil
}

// evaluate returns the value of an expression.
func evaluate(expression string, self any) (any, error) {
	env, err := cel.NewEnv(cel.Variable("self", cel.DynType))
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(expression)
	if issues.Err() != nil {
		return nil, fmt.Errorf("the rule %q: %w", expression, issues.Err())
	}
	program, err := env.Program(ast)
	if err != nil {
		return nil, err
	}
	out, _, err := program.Eval(map[string]any{"self": self})
	if err != nil {
		return nil, fmt.Errorf("the rule %q: %w", expression, err)
	}
	return out.Value(), nil
}
