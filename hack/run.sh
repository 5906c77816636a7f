#!/bin/sh
# Runs the controller from source against the cluster of the current kubeconfig, with the flags that are given. It installs the CRDs and the
# permissions of config/, and impersonates the controller's ServiceAccount: the controller has the permissions that it has in a cluster.
set -eu
cd "$(dirname "$0")/.."
kubeconfig=bin/run.kubeconfig
account=system:serviceaccount:keywright-system:keywright-controller
mkdir -p bin
echo "run: the cluster is $(kubectl config current-context); a controller that runs there keeps the Lease until you scale it to 0"
kubectl apply --server-side -f config/default/namespace.yaml
for base in config/crd config/rbac; do kubectl apply --server-side -k "$base"; done
umask 077
kubectl config view --minify --flatten --raw | awk -v as="$account" '{ print } $0 == "  user:" { print "    as: " as }' >"$kubeconfig"
grep -q "as: $account" "$kubeconfig" || { echo "run: the current context of the kubeconfig has no user to impersonate with" >&2 && exit 1; }
go build -o bin/controller ./cmd/controller
exec bin/controller --kubeconfig "$kubeconfig" --metrics-bind-address= --health-probe-bind-address= "$@"
