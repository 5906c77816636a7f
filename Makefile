# `make help` lists what there is. Everything needs Go, git and make, nothing else; tools are pinned in hack/tools.
.DEFAULT_GOAL := help
MODULES := . verifier verifier/fast hack hack/controlplane/dns hack/bench hack/interop
GO ?= go
# Binaries of tools, built once.
TOOLS := bin/controller-gen bin/golangci-lint
# How many packages are tested at once; each of some of them starts an API server.
PARALLEL ?= 2
SCHEDULES ?= 1000000
SEQUENCES ?= 1000
PRODUCT_SCHEDULES ?= 100000
PEER_TARGETS ?= 200
FUZZTIME ?= 1m
MINUTES ?= 30
TARGETS ?= 1000
ONCE ?=
ONLY ?=
# Of the images.
ARCH ?= amd64,arm64
VERSION ?= dev

##@ Everyday

.PHONY: help
help: ## Show this help.
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*##/ {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Show how tokens are verified while their keys rotate, until Ctrl-C (ONCE=1 ends by itself).
	@ONCE=$(ONCE) $(GO) -C hack/demo run .

.PHONY: test
test: controlplane bin/helm3 bin/helm4 ## Run every test: simulation, real API server, TLS, fuzz seeds, the demo once.
	$(GO) -C verifier test ./...
	$(GO) -C verifier/fast test ./...
	REQUIRE_CONTROLPLANE=1 $(GO) test -p $(PARALLEL) -parallel 3 -timeout 20m ./...
	REQUIRE_CONTROLPLANE=1 $(GO) -C hack test -p 1 ./demo/... ./e2e/report ./images/... ./clients
	REQUIRE_CONTROLPLANE=1 $(GO) -C hack test -p 1 -count=1 ./chart/... ./docs/... ./health # what they test is not in their module, and so not seen to change
	$(MAKE) test-fips
	$(MAKE) demo ONCE=1

.PHONY: test-fast
test-fast: ## Run the tests that need neither an API server nor PostgreSQL (a minute).
	$(GO) -C verifier test -short ./...
	$(GO) -C verifier/fast test -short ./...
	$(GO) test -short ./...

.PHONY: test-fips
test-fips: ## Run the tests of issuer and verifier in Go's enforced FIPS 140-3 mode.
	GODEBUG=fips140=only $(GO) -C verifier test ./...
	GODEBUG=fips140=only $(GO) -C verifier/fast test ./...
	GODEBUG=fips140=only $(GO) test -parallel 3 ./issuer/...

.PHONY: interop
interop: ## Run the examples of docs/verifying in their own languages and proxies, through a rotation (3 minutes).
	@if command -v npm >/dev/null; then npm --prefix hack/interop install --silent; fi
	$(GO) -C hack/interop test -parallel 8 ./...

.PHONY: gateways
gateways: bin/egctl ## Run the translator of Envoy Gateway on the examples of its page (its build takes many minutes, and 2 GB of modules).
	REQUIRE_EGCTL=1 $(GO) -C hack/interop test -count=1 -run TestEnvoyGateway .

.PHONY: istio
istio: controlplane ## Run Istio's pilot on the output of the controller (5 minutes the first time).
	REQUIRE_CONTROLPLANE=1 $(GO) -C hack/istio test -count=1 ./...

.PHONY: e2e
e2e: controlplane bin/helm3 ## Test the chart with injected faults, on a real node or the cluster of KUBECONFIG (13 minutes).
	@npm --prefix hack/interop install --silent && npm --prefix hack/clients install --silent
	KUBEBUILDER_ASSETS=$$($(GO) -C hack/controlplane run .) NODE_ASSETS=$$($(GO) -C hack/controlplane run . -node) \
		$(GO) -C hack/e2e test -count=1 -timeout 30m -v -skip TestGettingStarted .

.PHONY: e2e-pages
e2e-pages: controlplane bin/helm3 ## Run the commands of docs/getting-started.md on a real node (3 minutes).
	@npm --prefix hack/interop install --silent && npm --prefix hack/clients install --silent
	KUBEBUILDER_ASSETS=$$($(GO) -C hack/controlplane run .) NODE_ASSETS=$$($(GO) -C hack/controlplane run . -node) \
		$(GO) -C hack/e2e test -count=1 -timeout 30m -v -run TestGettingStarted .

.PHONY: cluster
cluster: controlplane ## Start a real node with the built images, for manual tests; `make cluster-down` stops it.
	@cd hack/cluster && $(GO) run . -controlplane $$($(GO) -C ../controlplane run .) -node $$($(GO) -C ../controlplane run . -node) \
		-images "$$(ls $(CURDIR)/bin/images/*.tar 2>/dev/null | paste -sd,)" up

.PHONY: cluster-down
cluster-down: ## Stop the node of `make cluster`, and remove what it created.
	@cd hack/cluster && $(GO) run . down

.PHONY: run
run: ## Run the controller from source against the cluster of the current kubeconfig, which gets the CRDs and permissions (needs kubectl).
	@hack/run.sh

.PHONY: build
build: ## Build the controller, the issuer and the kubectl plugin into bin/.
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./cmd/...

.PHONY: images
images: ## Build the container images as OCI archives into bin/images, for ARCH (amd64,arm64), with bills of materials.
	$(GO) -C hack/images run . -arch $(ARCH) -version $(VERSION)

PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64
KREW := sigs.k8s.io/krew/cmd/validate-krew-manifest@v0.4.3

.PHONY: plugin
plugin: ## Build the kubectl plugin for PLATFORMS into bin/plugin, with a manifest for krew, and validate it.
	hack/plugin.sh $(VERSION) $(PLATFORMS)
	$(GO) run $(KREW) -manifest bin/plugin/keywright.yaml -skip-install

.PHONY: chart
chart: bin/helm3 ## Package the Helm charts into bin/.
	bin/helm3 package charts/keywright charts/keywright-issuer --destination bin

##@ Before a commit

.PHONY: generate
generate: $(TOOLS) bin/helm-docs ## Generate the CRDs and their reference, RBAC, deep copies, and the files of the charts that come from config/ and values.
	bin/controller-gen object paths=./api/...
	bin/controller-gen crd paths=./api/... output:crd:dir=config/crd
	$(GO) -C hack/docs run ./reference $(CURDIR)/config/crd/keywright.dev_signingkeys.yaml $(CURDIR)/config/crd/keywright.dev_revocations.yaml $(CURDIR)/config/crd/keywright.dev_trustedissuers.yaml > bin/reference.md && mv bin/reference.md docs/reference.md
	bin/controller-gen rbac:roleName=keywright-controller paths=./controllers/... output:rbac:dir=config/rbac
	hack/chart/copy.sh
	$(GO) -C hack run ./chart/describe ../charts/keywright
	$(GO) -C hack run ./chart/describe ../charts/keywright-issuer
	bin/helm-docs --log-level warning --sort-values-order file --chart-search-root charts

.PHONY: format
format: $(TOOLS) ## Format all Go code.
	@for m in $(MODULES); do (cd $$m && $(CURDIR)/bin/golangci-lint fmt --config $(CURDIR)/.golangci.yml) || exit 1; done

.PHONY: lint
lint: $(TOOLS) bin/actionlint ## Lint all Go code, and the workflows.
	bin/actionlint
	@for m in $(MODULES); do echo "lint $$m"; (cd $$m && $(CURDIR)/bin/golangci-lint run --allow-parallel-runners --config $(CURDIR)/.golangci.yml ./...) || exit 1; done

.PHONY: tidy
tidy: ## Tidy every module.
	@for m in $(MODULES) hack/tools hack/controlplane/kubernetes hack/controlplane/containers hack/istio; do $(GO) -C $$m mod tidy || exit 1; done

.PHONY: verify
verify: ## Generate, format and tidy all files, fail if that changes a file, and lint.
	hack/verify.sh

##@ Longer

.PHONY: simulate
simulate: ## Simulate SCHEDULES schedules of faults (1000000).
	$(GO) test -timeout 0 -run TestSimulation ./controllers/rotation -schedules $(SCHEDULES)

.PHONY: random-specs
random-specs: controlplane ## Test SEQUENCES (1000) random sequences of specs on a real API server (20 minutes for 1000).
	REQUIRE_CONTROLPLANE=1 $(GO) test -count=1 -timeout 0 -v -run TestRandomSpecs ./cmd/controller -sequences $(SEQUENCES)

.PHONY: simulate-product
simulate-product: ## Simulate PRODUCT_SCHEDULES schedules of the product itself: controllers, issuer, verifier (100000).
	$(GO) test -timeout 0 -run TestSimulation ./controllers/simulation -schedules $(PRODUCT_SCHEDULES)

.PHONY: bench
bench: bench-plan bench-distribution bench-fetcher bench-verifier bench-issuer ## Measure everything that has a figure in docs/benchmarks.md.

.PHONY: bin/goals
bin/goals:
	@$(GO) -C hack/bench build -o $(CURDIR)/bin/goals ./goals

.PHONY: bench-plan
bench-plan: bin/goals ## Measure a plan for a keyring of ten keys.
	bin/goals $(GO) test -run '^$$' -bench . ./controllers/rotation

.PHONY: bench-distribution
bench-distribution: controlplane bin/goals ## Measure the fan-out to TARGETS (1000) namespaces against a floor, on a real API server.
	REQUIRE_CONTROLPLANE=1 bin/goals $(GO) test -run '^$$' -bench Distribution -benchtime 5x -timeout 1h -v \
		./cmd/controller -clusters 1 -targets $(TARGETS)
	REQUIRE_CONTROLPLANE=1 bin/goals $(GO) test -run '^$$' -bench Start -benchtime 21x -timeout 1h -v ./cmd/controller -clusters 1
	REQUIRE_CONTROLPLANE=1 bin/goals $(GO) test -run '^$$' -bench ForeignRotation -benchtime 5x -timeout 1h -v \
		./cmd/controller -clusters 1 -targets $(TARGETS)
	REQUIRE_CONTROLPLANE=1 bin/goals $(GO) test -run '^$$' -bench ManySigningKeys -benchtime 1x -timeout 1h -v \
		./cmd/controller -clusters 1 -targets $(TARGETS)
	REQUIRE_CONTROLPLANE=1 bin/goals $(GO) test -run '^$$' -bench Revocations -benchtime 1x -timeout 1h -v \
		./cmd/controller -clusters 1 -targets $(TARGETS)

TRUST_MANAGER := github.com/cert-manager/trust-manager
TRUST_MANAGER_VERSION := v0.25.0

.PHONY: bench-peers
bench-peers: controlplane bin/trust-manager ## Measure the fan-out of trust-manager beside ours, in the same run, to PEER_TARGETS (200) namespaces (minutes to build it).
	REQUIRE_CONTROLPLANE=1 TRUST_MANAGER=$(CURDIR)/bin/trust-manager \
		TRUST_MANAGER_CRDS=$$($(GO) env GOMODCACHE)/$(TRUST_MANAGER)@$(TRUST_MANAGER_VERSION)/deploy/crds \
		$(GO) test -run '^$$' -bench Peers -benchtime 3x -timeout 1h -v ./cmd/controller -clusters 1 -targets $(PEER_TARGETS)

bin/trust-manager:
	GOBIN=$(CURDIR)/bin $(GO) install $(TRUST_MANAGER)/cmd/trust-manager@$(TRUST_MANAGER_VERSION)

.PHONY: bench-fetcher
bench-fetcher: controlplane bin/goals ## Measure the memory of the fetcher with 100 issuers.
	REQUIRE_CONTROLPLANE=1 bin/goals $(GO) test -run '^$$' -bench FetcherMemory -benchtime 1x ./cmd/fetcher

.PHONY: bench-verifier
bench-verifier: bin/goals ## Measure the verifier: the bare signature, ours, with DPoP, other libraries, in one run (2 minutes).
	bin/goals $(GO) -C hack/bench run ./verifying

.PHONY: mutate-verifier
mutate-verifier: ## Remove each check of the verifier in turn, and fail if all tests still pass (5 minutes).
	$(GO) -C hack/mutate run .
	$(GO) -C hack/mutate run . -dir ../../verifier/fast -equivalent equivalent-fast.txt

.PHONY: bench-issuer
bench-issuer: ## Measure the issuer against two floors, on one core (ROUNDS=5, TOKENS=200000, ONLY="requests storms").
	$(GO) -C hack/issuerbench build -o $(CURDIR)/bin/issuerbench .
	cd hack/issuerbench && setsid -w taskset -c 0 $(CURDIR)/bin/issuerbench $(ONLY)

.PHONY: issuer-profile
issuer-profile: ## Profile the issuer under load, for the compiler (cmd/issuer/default.pgo).
	$(GO) -C hack/issuerbench run . profile $(CURDIR)/cmd/issuer/default.pgo

.PHONY: soak
soak: ## Load three issuers for MINUTES (30), with rotations, reloads and kills.
	SOAK_MINUTES=$(MINUTES) $(GO) -C hack/clients test -count=1 -timeout 0 -v -run TestSoak .

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (1m) each.
	hack/fuzz.sh $(FUZZTIME)

.PHONY: controlplane
controlplane: ## Find, download, or build once (6 minutes) etcd, kube-apiserver and kubectl.
	@$(GO) -C hack/controlplane run . >/dev/null

.PHONY: clean
clean: ## Remove all build output.
	rm -rf bin .demo

# Absolute, since the tools are built from within their module.
bin/controller-gen: hack/tools/go.mod
	@mkdir -p bin
	$(GO) -C hack/tools build -o $(CURDIR)/$@ sigs.k8s.io/controller-tools/cmd/controller-gen

bin/golangci-lint: hack/tools/go.mod
	@mkdir -p bin
	$(GO) -C hack/tools build -o $(CURDIR)/$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

# Not in hack/tools: it does not compile with the version of yaml/v4 that other tools there require.
bin/actionlint:
	GOBIN=$(CURDIR)/bin $(GO) install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

# Not in hack/tools: its modules are more than those of all other tools together.
bin/egctl:
	GOBIN=$(CURDIR)/bin $(GO) install github.com/envoyproxy/gateway/cmd/egctl@v1.9.1

include hack/chart/helm.mk
