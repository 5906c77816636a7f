package main

import "github.com/keywright/keywright/hack/images/archive"

// labels are those of the OCI image specification (annotations.md).
func labels(t target, version string) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       t.name,
		"org.opencontainers.image.description": t.description,
		"org.opencontainers.image.source":      "https://github.com/keywright/keywright",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.version":     version,
	}
}

// pack writes an OCI archive with one image for each architecture, and returns the digest of its index.
func (o options) pack(t target, programs map[string]string, path string) (string, error) {
	image := archive.Image{
		Name: t.name, Version: o.version, Entrypoint: []string{"/" + t.program}, Labels: labels(t, o.version), Files: map[string][]archive.File{},
	}
	for _, arch := range o.architectures {
		image.Files[arch] = []archive.File{{Path: t.program, From: programs[arch], Mode: 0o755}}
	}
	return image.Write(path)
}
