package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/keywright/keywright/hack/images/archive"
)

const tag = "e2e"

// registry is what stands before the name of each image, with a slash: empty on a node that has the images.
func registry() string {
	if r := strings.TrimSuffix(os.Getenv("REGISTRY"), "/"); r != "" {
		return r + "/"
	}
	return ""
}

// haveImages builds every image that a pod of the test runs, and returns their archives. Those of Keywright are built as a user's are.
func haveImages(t *testing.T, issuer string) (archives []string) {
	t.Helper()
	out := t.TempDir()
	build := exec.Command("go", "run", ".", "-out", out, "-version", tag, "-arch", runtime.GOARCH)
	build.Dir = filepath.Join("..", "images")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the images: %v\n%s", err, said)
	}
	for _, name := range []string{"keywright-controller", "keywright-issuer", "keywright-fetcher", "kubectl-keywright"} {
		archives = append(archives, filepath.Join(out, name+".tar"))
	}
	programs := compile(t, out, map[string]string{"load": ".", "watch": ".", "exchange": ".", "service": filepath.Join("..", "demo")})
	// The service in Node is the example of docs/verifying/node.md with the library jose.
	service := append(interpreter(t), archive.File{Path: "app/verify.mjs", From: example(t, out, issuer), Mode: 0o644},
		archive.File{Path: "app/main.mjs", From: filepath.Join("node", "main.mjs"), Mode: 0o644})
	provider := append(interpreter(t), archive.File{Path: "app/main.mjs", From: filepath.Join("..", "clients", "provider.mjs"), Mode: 0o644})
	run := []string{"/usr/bin/node", "/app/main.mjs"}
	return append(archives,
		pack(t, out, "keywright-e2e", []string{"/load"}, programs),
		pack(t, out, "keywright-e2e-node", run, append(service, modules(t, "interop", "jose")...)),
		pack(t, out, "keywright-e2e-provider", run, append(provider, modules(t, "clients", "")...)))
}

// compile builds programs, each in the folder of its name in the module that is given, and returns them as files of an image.
func compile(t *testing.T, out string, modules map[string]string) []archive.File {
	t.Helper()
	var files []archive.File
	for name, module := range modules {
		program := filepath.Join(out, name)
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./"+name)
		cmd.Dir, cmd.Env = module, append(os.Environ(), "CGO_ENABLED=0")
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, said)
		}
		files = append(files, archive.File{Path: name, From: program, Mode: 0o755})
	}
	return files
}

func pack(t *testing.T, out, name string, entrypoint []string, files []archive.File) string {
	t.Helper()
	path := filepath.Join(out, name+".tar")
	image := archive.Image{Name: name, Version: tag, Entrypoint: entrypoint, Files: map[string][]archive.File{runtime.GOARCH: files}}
	if _, err := image.Write(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// interpreter is Node with its libraries.
func interpreter(t *testing.T) []archive.File {
	t.Helper()
	program, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("the pods in Node need Debian's nodejs: %v", err)
	}
	files := []archive.File{{Path: "usr/bin/node", From: program, Mode: 0o755}}
	libraries, err := exec.Command("ldd", program).Output()
	check(t, err)
	for _, library := range regexp.MustCompile(`(/\S+) \(0x`).FindAllStringSubmatch(string(libraries), -1) {
		files = append(files, archive.File{Path: strings.TrimPrefix(library[1], "/"), From: library[1], Mode: 0o755})
	}
	return files
}

// modules are what npm installed for a folder of hack: one library, or all of them but the browser's.
func modules(t *testing.T, folder, library string) []archive.File {
	t.Helper()
	var files []archive.File
	root := filepath.Join("..", folder, "node_modules")
	err := filepath.WalkDir(filepath.Join(root, library), func(path string, d os.DirEntry, err error) error {
		relative, _ := filepath.Rel(root, path)
		switch {
		case err == nil && d.Name() == "playwright-core":
			return filepath.SkipDir
		case err == nil && d.Type().IsRegular():
			files = append(files, archive.File{Path: "app/node_modules/" + filepath.ToSlash(relative), From: path, Mode: 0o644})
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("a pod in Node needs `npm --prefix hack/%s install`: %v", folder, err)
	}
	return files
}

// example writes the example of the page about Node, with the issuer of this cluster.
func example(t *testing.T, out, issuer string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "verifying", "node.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)<!-- run: node-jose -->\n```js\n(.*?)```").FindSubmatch(page)
	if block == nil || !strings.Contains(string(block[1]), "https://issuer.example.com") {
		t.Fatal("docs/verifying/node.md has no example node-jose with an issuer")
	}
	path := filepath.Join(out, "verify.mjs")
	text := strings.ReplaceAll(string(block[1]), "https://issuer.example.com", issuer)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
