#!/bin/sh
# Builds archives of the plugin for each of PLATFORMS into bin/plugin, and the manifest with which `kubectl krew` installs them. The manifest names
# VERSION, a tag of this repository, where the archives are assets of the release.
set -eu
cd "$(dirname "$0")/.."
version=$1
shift
out=bin/plugin
rm -rf $out
mkdir -p $out

cat >$out/keywright.yaml <<END
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: keywright
spec:
  version: $version
  homepage: https://github.com/keywright/keywright
  shortDescription: Inspect and manage JWT signing keys
  description: |
    Shows the signing keys that Keywright rotates and which namespaces and pods have them, verifies and inspects tokens, plans rotations, revokes
    keys, tokens and sessions, manages the users of an issuer, and finds mistakes in a cluster.
  platforms:
END
for platform in "$@"; do
	os=${platform%/*} arch=${platform#*/} binary=kubectl-keywright
	[ "$os" != windows ] || binary=kubectl-keywright.exe
	directory=$out/$os-$arch
	archive=kubectl-keywright-$os-$arch.tar.gz
	mkdir $directory
	cp LICENSE $directory/
	CGO_ENABLED=0 GOOS=$os GOARCH=$arch go build -trimpath -buildvcs=false -ldflags="-s -w -buildid= -X github.com/keywright/keywright/cmd/commandline.version=$version" \
		-o $directory/$binary ./cmd/kubectl-keywright
	# The same bytes on every machine, as the images: fixed order, owner and time.
	tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --mode=u=rwX,go=rX -C $directory -cf - . | gzip -n >$out/$archive
	cat >>$out/keywright.yaml <<END
  - selector:
      matchLabels: {os: $os, arch: $arch}
    uri: https://github.com/keywright/keywright/releases/download/$version/$archive
    sha256: $(sha256sum $out/$archive | cut -d" " -f1)
    bin: $binary
    files:
    - {from: $binary, to: .}
    - {from: LICENSE, to: .}
END
	rm -r $directory
done
