# Helm and helm-docs are too large, and too different in what they require, for one module with the other tools. Helm 3 takes the version
# of Kubernetes that it renders for without a cluster from the linker; Helm 4 from its modules.
HELM3 := v3.22.0
HELM4 := v4.3.1
HELM_DOCS := v1.14.2
bin/helm3: CHARTUTIL := helm.sh/helm/v3/pkg/chartutil
bin/helm3: LINT := helm.sh/helm/v3/pkg/lint/rules
bin/helm3: hack/chart/helm.mk
	GOBIN=$(CURDIR)/bin/.helm3 $(GO) install -ldflags "-s -w -X helm.sh/helm/v3/internal/version.version=$(HELM3) \
		-X $(CHARTUTIL).k8sVersionMajor=1 -X $(CHARTUTIL).k8sVersionMinor=37 -X $(LINT).k8sVersionMajor=1 -X $(LINT).k8sVersionMinor=37" \
		helm.sh/helm/v3/cmd/helm@$(HELM3)
	mv bin/.helm3/helm $@
	rmdir bin/.helm3

bin/helm4: hack/chart/helm.mk
	GOBIN=$(CURDIR)/bin/.helm4 $(GO) install -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=$(HELM4)" helm.sh/helm/v4/cmd/helm@$(HELM4)
	mv bin/.helm4/helm $@
	rmdir bin/.helm4

bin/helm-docs: hack/chart/helm.mk
	GOBIN=$(CURDIR)/bin $(GO) install github.com/norwoodj/helm-docs/cmd/helm-docs@$(HELM_DOCS)
