#!/bin/sh
# Copies into the chart what it has from config/, so that it stands in one place only.
set -eu
cd "$(dirname "$0")/../.."
chart=charts/keywright
rm -rf $chart/crds $chart/files
mkdir -p $chart/crds
cp config/crd/keywright.dev_*.yaml $chart/crds/
for part in rbac policy nudge injection monitoring; do
	mkdir -p $chart/files/$part
	cp config/$part/* $chart/files/$part/
	rm -f $chart/files/$part/kustomization.yaml $chart/files/$part/*_test.yaml
done
mkdir -p $chart/files/fetcher
cp config/fetcher/role.yaml config/fetcher/service_account.yaml $chart/files/fetcher/
