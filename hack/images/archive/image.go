// Package archive writes container images as OCI archives (OCI image layout, in a tar), without a container engine. Equal files give
// equal bytes.
package archive

import (
	"archive/tar"
	"bytes"
	"io"
	"maps"
	"os"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// User runs every program: nobody that any image or node knows.
const User = "65532:65532"

// Image is what an archive holds: one layer on nothing, for each architecture.
type Image struct {
	// Name and Version are imported as docker.io/library/name:version.
	Name, Version string
	Entrypoint    []string
	// Labels are those of the OCI image specification (annotations.md).
	Labels map[string]string
	// Files by architecture, like amd64.
	Files map[string][]File
}

// File is one file of an image, owned by root.
type File struct {
	// Path in the image, without the slash at its front; From is where its content is now.
	Path, From string
	Mode       int64
}

// Write writes an archive and returns the digest of its index.
func (i Image) Write(archive string) (string, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range slices.Sorted(maps.Keys(i.Files)) {
		image, err := i.of(arch)
		if err != nil {
			return "", err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "linux", Architecture: arch},
		}})
	}
	directory, err := os.MkdirTemp("", "keywright-image-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(directory) }()
	path, err := layout.Write(directory, empty.Index)
	if err != nil {
		return "", err
	}
	// Both names: that of the OCI specification, and the one that containerd imports under.
	err = path.AppendIndex(index, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": i.Version, "io.containerd.image.name": "docker.io/library/" + i.Name + ":" + i.Version,
	}))
	if err != nil {
		return "", err
	}
	digest, err := index.Digest()
	if err != nil {
		return "", err
	}
	return digest.String(), tarDirectory(directory, archive)
}

// of is the image for one architecture.
func (i Image) of(arch string) (v1.Image, error) {
	files, err := layer(i.Files[arch])
	if err != nil {
		return nil, err
	}
	compressed, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil },
		tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1), compressed)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", arch
	config.Config = v1.Config{User: User, Entrypoint: i.Entrypoint, Labels: i.Labels}
	return mutate.ConfigFile(image, config)
}

// layer is a tar of files, in the order given and without times.
func layer(files []File) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		content, err := os.ReadFile(f.From)
		if err != nil {
			return nil, err
		}
		header := &tar.Header{Name: f.Path, Mode: f.Mode, Size: int64(len(content)), Typeflag: tar.TypeReg, Format: tar.FormatPAX}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(content); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}
