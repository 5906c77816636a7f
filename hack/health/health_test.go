package health

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/keywright/keywright/api/v1alpha1"
)

const root = "../.."

// kstatus and Argo CD say what the table says.
func TestHealth(t *testing.T) {
	script := argoScript(t)
	for _, r := range table() {
		t.Run(r.name, func(t *testing.T) {
			key := r.signingKey(t)
			wantHealth(t, script, key, r.kstatus, r.argo)
		})
	}
}

// A SigningKey that no controller has looked at is on its way: with the status that the CRD gives it, and for Argo CD also without.
func TestNewSigningKeyIsNotHealthy(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "config/crd/keywright.dev_signingkeys.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var crd map[string]any
	if err := yaml.Unmarshal(text, &crd); err != nil {
		t.Fatal(err)
	}
	versions, _, _ := unstructured.NestedSlice(crd, "spec", "versions")
	given, ok, err := unstructured.NestedMap(versions[0].(map[string]any), "schema", "openAPIV3Schema", "properties", "status", "default")
	if err != nil || !ok {
		t.Fatalf("the CRD has no default for the status: %v", err)
	}
	key := row{generation: 1}.signingKey(t)
	script := argoScript(t)
	key.Object["status"] = given
	wantHealth(t, script, key, inProgress, progresses)
	delete(key.Object, "status")
	if got := argo(t, script, key); got != progresses {
		t.Errorf("without a status, Argo CD says %s", got)
	}
}

// Each reason that there is has a row: those of the API, and those of the core that become one.
func TestEveryReasonHasARow(t *testing.T) {
	var named []string
	for _, r := range table() {
		for _, condition := range r.conditions {
			_, reason, _ := strings.Cut(condition, " ")
			named = append(named, reason)
		}
	}
	reasons := constants(t, "api/v1alpha1", func(name, _ string) bool { return strings.HasPrefix(name, "Reason") })
	blocked := constants(t, "controllers/rotation", func(_, kind string) bool { return kind == "Blocked" })
	if len(reasons) < 20 || len(blocked) < 3 {
		t.Fatalf("only %q and %q were found", reasons, blocked)
	}
	for _, reason := range append(reasons, blocked...) {
		if reason != "" && !slices.Contains(named, reason) {
			t.Errorf("no row has the reason %s", reason)
		}
	}
}

// Each reason is in the documentation, except those that need no action.
func TestEveryReasonIsDocumented(t *testing.T) {
	var text strings.Builder
	for _, pattern := range []string{"docs/*.md", "docs/*/*.md"} {
		pages, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			b, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			text.Write(b)
		}
	}
	fine := []string{
		v1alpha1.ReasonSigning, v1alpha1.ReasonInSync, v1alpha1.ReasonNoTargets, v1alpha1.ReasonOnTime, v1alpha1.ReasonManualRotation,
		v1alpha1.ReasonEntryWritten, v1alpha1.ReasonTrusted, v1alpha1.ReasonInline,
	}
	for _, reason := range constants(t, "api/v1alpha1", func(name, _ string) bool { return strings.HasPrefix(name, "Reason") }) {
		if !slices.Contains(fine, reason) && !strings.Contains(text.String(), "`"+reason+"`") {
			t.Errorf("no page has the reason %s: say there what to do", reason)
		}
	}
}

// constants are the values of those text constants of a package that are wanted by their name and type.
func constants(t *testing.T, directory string, wanted func(name, kind string) bool) (values []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, directory, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != len(spec.Names) {
				return true
			}
			kind, _ := spec.Type.(*ast.Ident)
			for i, name := range spec.Names {
				literal, ok := spec.Values[i].(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING || !wanted(name.Name, kindName(kind)) {
					continue
				}
				value, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, value)
			}
			return true
		})
	}
	return values
}

func kindName(kind *ast.Ident) string {
	if kind == nil {
		return ""
	}
	return kind.Name
}

// signingKey is what a tool reads.
func (r row) signingKey(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	metadata := map[string]any{"name": "main", "generation": r.generation}
	if r.deleted {
		metadata["deletionTimestamp"] = "2026-11-26T00:00:00Z"
	}
	var conditions []any
	for _, text := range r.conditions {
		left, reason, ok := strings.Cut(text, " ")
		kind, is, ok2 := strings.Cut(left, "=")
		if !ok || !ok2 {
			t.Fatalf("a condition %q", text)
		}
		conditions = append(conditions, map[string]any{"type": kind, "status": is, "reason": reason, "message": "message of " + kind})
	}
	said := map[string]any{"conditions": conditions}
	if r.observed != 0 {
		said["observedGeneration"] = r.observed
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "keywright.dev/v1alpha1", "kind": "SigningKey", "metadata": metadata, "status": said,
	}}
}

func wantHealth(t *testing.T, script string, key *unstructured.Unstructured, wantKstatus, wantArgo string) {
	t.Helper()
	result, err := status.Compute(key)
	if err != nil || result.Status.String() != wantKstatus {
		t.Errorf("kstatus says %v (%v), want %s", result, err, wantKstatus)
	}
	if got := argo(t, script, key); got != wantArgo {
		t.Errorf("Argo CD says %s, want %s", got, wantArgo)
	}
}

// argoScript is the script that docs/gitops.md shows.
func argoScript(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs/gitops.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(page), "<!-- run: health -->\n```yaml\n")
	block, _, ok2 := strings.Cut(rest, "```")
	var cm struct{ Data map[string]string }
	if err := yaml.UnmarshalStrict([]byte(block), &cm); err != nil || !ok || !ok2 {
		t.Fatalf("docs/gitops.md has no script: %v", err)
	}
	script := cm.Data["resource.customizations.health.keywright.dev_SigningKey"]
	if script == "" || len(cm.Data) != 1 {
		t.Fatalf("docs/gitops.md has %v", cm.Data)
	}
	return script
}

// argo runs a health script as Argo CD does: with the object as obj, few libraries, and a table as its result.
func argo(t *testing.T, script string, key *unstructured.Unstructured) string {
	t.Helper()
	vm := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer vm.Close()
	for name, open := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		if err := vm.CallByParam(lua.P{Fn: vm.NewFunction(open), NRet: 0, Protect: true}, lua.LString(name)); err != nil {
			t.Fatal(err)
		}
	}
	vm.SetGlobal("obj", toLua(vm, key.Object))
	if err := vm.DoString(script); err != nil {
		t.Fatal(err)
	}
	result, ok := vm.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("the script returns %v", vm.Get(-1))
	}
	if result.RawGetString("message").String() == "" {
		t.Error("the script gives no message")
	}
	return result.RawGetString("status").String()
}

// toLua turns JSON values into Lua's.
func toLua(vm *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case map[string]any:
		table := vm.NewTable()
		for k, v := range value {
			table.RawSetString(k, toLua(vm, v))
		}
		return table
	case []any:
		table := vm.NewTable()
		for _, v := range value {
			table.Append(toLua(vm, v))
		}
		return table
	case string:
		return lua.LString(value)
	case int64:
		return lua.LNumber(value)
	case bool:
		return lua.LBool(value)
	default:
		return lua.LNil
	}
}
