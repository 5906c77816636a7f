// Package claimmapping evaluates CEL expressions over the claims of a token, as the API server does with
// AuthenticationConfiguration.
package claimmapping

import (
	"errors"
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
)

// maxCost limits the cost of an evaluation in CEL cost units. Usual expressions cost tens.
const maxCost = 100_000

// Expression is a CEL expression over the variable claims.
type Expression struct{ program cel.Program }

// Compile compiles an expression and checks the type of its result: "bool", "string", or "" for any.
func Compile(text, kind string) (*Expression, error) {
	env, err := cel.NewEnv(cel.CustomTypeAdapter(claimAdapter{}), cel.Variable("claims", cel.MapType(cel.StringType, cel.DynType)), cel.OptionalTypes())
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	if out := ast.OutputType().String(); kind != "" && out != kind && out != "dyn" {
		return nil, fmt.Errorf("returns a %s, not a %s", out, kind)
	}
	program, err := env.Program(ast, cel.CostLimit(maxCost))
	if err != nil {
		return nil, err
	}
	return &Expression{program}, nil
}

// Evaluate returns the result as encoding/json decodes it with json.Number. It returns nil for null and for an empty
// optional.
func (e *Expression) Evaluate(claims map[string]any) (any, error) {
	value, _, err := e.program.Eval(map[string]any{"claims": claims})
	if err != nil {
		return nil, errors.New("the expression has no value for this token") // the error of the library quotes claims
	}
	if optional, ok := value.(*types.Optional); ok {
		if !optional.HasValue() {
			return nil, nil
		}
		value = optional.GetValue()
	}
	native, err := toJSON(value)
	if err != nil {
		return nil, errors.New("the value of the expression cannot be encoded as JSON")
	}
	return native, nil
}
