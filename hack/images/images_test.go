package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/keywright/keywright/hack/images/archive"
)

// The issuer compiles soonest. What holds for its image holds for all three, which differ by name.
var tried = targets()[1]

// build packs one target into a directory, and returns the digest of its index.
func build(t *testing.T, out string) string {
	t.Helper()
	o := options{source: "../..", out: out, version: "1.2.3", architectures: []string{"amd64"}}
	program, err := o.compile(t.Context(), tried, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	digest, err := o.pack(tried, map[string]string{"amd64": program}, filepath.Join(out, "image.tar"))
	if err != nil {
		t.Fatal(err)
	}
	if err := writeBill(program, tried, o.version, filepath.Join(out, "bill.json")); err != nil {
		t.Fatal(err)
	}
	return digest
}

func TestEqualSourcesGiveEqualBytes(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	if a, b := build(t, one), build(t, two); a != b {
		t.Errorf("%s, then %s", a, b)
	}
	read := func(directory string) []byte {
		b, err := os.ReadFile(filepath.Join(directory, "image.tar"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if !bytes.Equal(read(one), read(two)) {
		t.Error("the archives differ")
	}
	image := open(t, filepath.Join(one, "image.tar"))
	hasOneFile(t, image)
	describesTheSame(t, image)
	namesItsModules(t, filepath.Join(one, "bill.json"))
	knowsItsVersion(t, filepath.Join(one, "amd64", tried.program))
}

func knowsItsVersion(t *testing.T, program string) {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return
	}
	if out, err := exec.CommandContext(t.Context(), program, "version").Output(); err != nil || !strings.HasPrefix(string(out), "1.2.3 go") {
		t.Errorf("%v: it says that its version is %s", err, out)
	}
}

// open unpacks an OCI archive, as a registry client would, and returns its one image.
func open(t *testing.T, path string) v1.Image {
	t.Helper()
	directory := t.TempDir()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		content, read := io.ReadAll(r)
		file := filepath.Join(directory, filepath.FromSlash(h.Name))
		if err != nil || read != nil || os.MkdirAll(filepath.Dir(file), 0o700) != nil || os.WriteFile(file, content, 0o600) != nil {
			t.Fatal(err, read)
		}
	}
	index, err := layout.ImageIndexFromPath(directory)
	if err != nil {
		t.Fatal(err)
	}
	outer, err := index.IndexManifest()
	if err != nil || outer.Manifests[0].Annotations["io.containerd.image.name"] != "docker.io/library/keywright-issuer:1.2.3" {
		t.Fatal(err, outer)
	}
	inner, err := index.ImageIndex(outer.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := inner.IndexManifest()
	if err != nil || manifest.Manifests[0].Platform.String() != "linux/amd64" {
		t.Fatal(err, manifest)
	}
	image, err := inner.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func hasOneFile(t *testing.T, image v1.Image) {
	t.Helper()
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatal(err, len(layers))
	}
	files, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(files)
	h, err := r.Next()
	if err != nil || h.Name != tried.program || h.Mode != 0o755 || h.Uid != 0 || !h.ModTime.IsZero() && h.ModTime.Unix() != 0 {
		t.Errorf("%v %+v", err, h)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Error("there is more in it")
	}
}

// stage is what the Dockerfile says of one target.
type stage struct {
	user, entrypoint string
	files            []string
	labels           map[string]string
}

// stages reads the instructions of the Dockerfile that say what is in an image. A stage takes over what its base says.
func stages(t *testing.T) map[string]stage {
	t.Helper()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]stage{}
	name := ""
	label := regexp.MustCompile(`([a-z.]+)=("[^"]*"|\S+)`)
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", " ")) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		words := strings.Fields(rest)
		s := all[name]
		switch instruction {
		case "FROM":
			base := all[words[len(words)-3]]
			name = words[len(words)-1]
			s = stage{user: base.user, files: slices.Clone(base.files), labels: map[string]string{}}
			for k, v := range base.labels {
				s.labels[k] = v
			}
		case "USER":
			s.user = rest
		case "ENTRYPOINT":
			s.entrypoint = rest
		case "COPY":
			s.files = append(s.files, words[len(words)-2])
		case "LABEL":
			for _, m := range label.FindAllStringSubmatch(rest, -1) {
				s.labels[m[1]] = strings.Trim(m[2], `"`)
			}
		}
		if name != "" {
			all[name] = s
		}
	}
	return all
}

// describesTheSame compares the image, and what the others would be, with the Dockerfile.
func describesTheSame(t *testing.T, image v1.Image) {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != archive.User || !slices.Equal(config.Config.Entrypoint, []string{"/" + tried.program}) {
		t.Errorf("%+v", config.Config)
	}
	all := stages(t)
	for _, want := range targets() {
		s := all[want.program]
		if s.user != archive.User || s.entrypoint != `["/`+want.program+`"]` || !slices.Equal(s.files, []string{"/out/" + want.program}) {
			t.Errorf("the Dockerfile says of %s: %+v", want.program, s)
		}
		got, err := json.Marshal(s.labels)
		if err != nil {
			t.Fatal(err)
		}
		if expected, _ := json.Marshal(labels(want, "$VERSION")); !bytes.Equal(got, expected) {
			t.Errorf("the Dockerfile labels %s\n%s, want\n%s", want.program, got, expected)
		}
	}
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil || !bytes.Contains(text, []byte(`CGO_ENABLED=0 GOOS=linux GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X github.com/keywright/keywright/cmd/commandline.version=$VERSION"`)) {
		t.Errorf("%v: the Dockerfile compiles otherwise", err)
	}
}

func namesItsModules(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var bill struct {
		BOMFormat, SpecVersion string
		Components             []struct{ Purl string }
	}
	if err := json.Unmarshal(b, &bill); err != nil || bill.BOMFormat != "CycloneDX" || bill.SpecVersion != "1.6" {
		t.Fatalf("%v %.200s", err, b)
	}
	for _, want := range []string{"pkg:golang/std@go1.", "pkg:golang/github.com/go-jose/go-jose/v4@v4.", "pkg:golang/github.com/prometheus/client_golang@v1."} {
		if !slices.ContainsFunc(bill.Components, func(c struct{ Purl string }) bool { return strings.HasPrefix(c.Purl, want) }) {
			t.Errorf("%s is not named", want)
		}
	}
}
