# make help lists the targets. They require only git and Go. Other tools come from the Go module proxy, and on Debian, as root,
# from apt.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

GO ?= go
GO_MINIMUM := go1.26
CONTAINER_TOOL ?= docker
IMAGE_TAG ?= latest
# The version that is built into the commands, and the repository of the operator's image in the manifests of a release.
VERSION ?= dev
IMAGE_REPOSITORY ?= smile-operator

# Flags of go test for all targets, such as -v.
TESTFLAGS ?=

BIN := $(CURDIR)/bin
BINARIES := $(notdir $(wildcard cmd/*))
GENERATED := api/*/zz_generated.deepcopy.go config/crd/bases config/rbac/role.yaml docs/application-api-errors.md docs/application-api.openapi.json \
	internal/appapi/conformance/client docs/metrics.md config/argocd \
	config/chart/smile-operator/values.yaml config/chart/smile-operator/files docs/chart.md
MODULES := . hack/chart hack/controlplane hack/prometheus hack/release hack/tools
# Our own packages in the other modules.
NESTED := hack/chart hack/controlplane/fetch hack/prometheus hack/release hack/tools/walls

# Packages whose tests need a control plane, and all the others.
LIST = $(GO) list -f '{{.ImportPath}} {{join .Imports " "}} {{join .TestImports " "}} {{join .XTestImports " "}} ' ./...
ON_CLUSTER := internal/(controlplane|testenv)[ ]
CLUSTER_PACKAGES = $$($(LIST) | grep -E '$(ON_CLUSTER)' | cut -d' ' -f1)
UNIT_PACKAGES = $$($(LIST) | grep -vE '$(ON_CLUSTER)' | cut -d' ' -f1)

# $(call need,programs,Debian packages,purpose) requires one of the programs, and installs it if possible.
need = command -v $(1) >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	echo "Installing $(2), needed for $(3) ..."; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends $(2) >/dev/null; \
	else echo "Missing for $(3): $(firstword $(1)) (Debian: apt-get install $(2))" >&2; exit 1; fi

##@ Try it

.PHONY: demo
demo: control-plane ## Show the main flow, from an empty cluster to fetched data, and stop (half a minute)
	$(GO) run ./hack/demo

.PHONY: demo-browser
demo-browser: control-plane browser ## Like demo, but George opens the hosted page in Chromium; screenshots are in bin/demo-*.png
	$(GO) run ./hack/demo --browser

.PHONY: dev
dev: control-plane ## Like demo, but keep running until Ctrl-C
	$(GO) run ./hack/demo --stay

##@ Build

# hack/release and the Dockerfile build with the same flags.
BUILD_FLAGS = -trimpath -buildvcs=false -ldflags="-s -w -X github.com/smile-operator/smile-operator/internal/version.Version=$(VERSION)"

.PHONY: build
build: toolchain ## Build the commands into bin/
	@for name in $(BINARIES); do \
		echo "bin/$$name"; CGO_ENABLED=0 $(GO) build $(BUILD_FLAGS) -o $(BIN)/$$name ./cmd/$$name; done

.PHONY: image
image: ## Build the container images
	@command -v $(CONTAINER_TOOL) >/dev/null || { echo "Missing: $(CONTAINER_TOOL) (CONTAINER_TOOL names another one)" >&2; exit 1; }
	for name in smile-operator smile-sandbox; do \
		$(CONTAINER_TOOL) build --build-arg BINARY=$$name --build-arg VERSION=$(VERSION) --tag $$name:$(IMAGE_TAG) .; done

# Where releases are written, the architectures of their images, and the platforms of the plugin, such as linux/amd64,darwin/arm64; all
# by default.
DIST ?= $(CURDIR)/dist
RELEASE_ARCH ?=
RELEASE_PLATFORMS ?=
RELEASE = $(GO) -C hack/release run . build --version="$(VERSION)" --repository="$(IMAGE_REPOSITORY)" $(if $(RELEASE_ARCH),--arch=$(RELEASE_ARCH)) \
	$(if $(RELEASE_PLATFORMS),--platforms=$(RELEASE_PLATFORMS))

.PHONY: release
release: toolchain ## Build a release into dist/, without a container engine (VERSION=v0.1.0 IMAGE_REPOSITORY=registry/smile-operator)
	$(RELEASE) --dist="$(DIST)"

.PHONY: release-twice
release-twice: release ## Build the release twice and fail if a file differs (VERSION=v0.1.0)
	@again=$$(mktemp -d); trap 'rm -rf "$$again"' EXIT; \
	$(RELEASE) --dist="$$again/dist"; \
	diff --recursive --brief "$(DIST)" "$$again/dist" && echo "Both builds are equal."

.PHONY: release-push
release-push: ## Push the images of dist/ and print their references (VERSION=v0.1.0 IMAGE_REPOSITORY=registry/smile-operator)
	@$(GO) -C hack/release run . push --version="$(VERSION)" --repository="$(IMAGE_REPOSITORY)" --dist="$(DIST)"

.PHONY: generate
generate: toolchain ## Generate deep copies, CRDs, RBAC, the reference pages, and the client of the application API from the Go sources
	$(GO) tool controller-gen object paths=./api/...
	$(GO) tool controller-gen crd paths=./api/... output:crd:dir=config/crd/bases
	$(GO) tool controller-gen rbac:roleName=smile-operator paths="./controllers/...;./internal/..." output:rbac:dir=config/rbac
	$(GO) test ./internal/appapi -run '^TestDocuments$$' -write >/dev/null
	$(GO) test ./internal/argocd -run '^Test(EachKind|ConfigMap)HasTheScripts$$' -write >/dev/null
	$(GO) test ./internal/app -run '^TestMetricsPage$$' -write >/dev/null
	$(GO) -C hack/chart run .
	$(GO) tool -modfile=hack/tools/go.mod oapi-codegen -generate types,client -package client \
		-o internal/appapi/conformance/client/client.gen.go docs/application-api.openapi.json

##@ Install in the cluster of the current kubeconfig

KUBECTL ?= $(or $(shell command -v kubectl),$(BIN)/k8s/kubectl)
# The image to deploy; the one that config/manager names when empty.
IMAGE ?=

.PHONY: install
install: ## Install the CRDs
	$(KUBECTL) apply --server-side -k config/crd

.PHONY: deploy
deploy: ## Install the CRDs and the operator (IMAGE=registry/smile-operator:v0.1.0)
	$(KUBECTL) kustomize config/default $(if $(IMAGE),| sed -E 's|^( *image: )smile-operator:.*|\1$(IMAGE)|') | $(KUBECTL) apply --server-side -f -

.PHONY: undeploy
undeploy: ## Remove the operator and its rights; CRDs, objects, and the namespace with the identity Secret stay (docs/uninstall.md)
	$(GO) run ./cmd/kubectl-smile uninstall
	for dir in manager network-policy roles; do $(KUBECTL) delete --ignore-not-found -k config/$$dir; done
	for file in $(filter-out %/namespace.yaml %/kustomization.yaml,$(wildcard config/rbac/*.yaml)); do $(KUBECTL) delete --ignore-not-found -f $$file; done

##@ Check

.PHONY: verify
verify: generate ## Fail if generated files, modules or formatting are not up to date
	@changed=$$(git status --porcelain -- $(GENERATED)); [ -z "$$changed" ] || { \
		printf 'make generate changed files, or the changes are not committed:\n%s\n' "$$changed" >&2; git --no-pager diff -- $(GENERATED) >&2; exit 1; }
	@for module in $(MODULES); do $(GO) -C $$module mod tidy -diff || { echo "go.mod of $$module is not tidy: run go mod tidy there" >&2; exit 1; }; done
	@unformatted=$$(git ls-files --cached --others --exclude-standard '*.go' | xargs gofmt -l); [ -z "$$unformatted" ] || { \
		printf 'Run gofmt -w on:\n%s\n' "$$unformatted" >&2; exit 1; }
	@echo "Generated files, modules and formatting are up to date."

.PHONY: lint
lint: toolchain ## Check style, the limits of line, function and file length and of complexity, and the imports between packages
	$(GO) -C hack/tools build -o $(BIN)/walls ./walls
	$(GO) vet -tags e2e -vettool=$(BIN)/walls ./...
	@linter=$$($(GO) -C hack/tools tool -n golangci-lint); \
	for dir in . $(NESTED); do echo "golangci-lint in $$dir"; (cd $$dir && $$linter run ./...); done

.PHONY: fmt
fmt: toolchain ## Format all Go sources
	linter=$$($(GO) -C hack/tools tool -n golangci-lint); \
	for dir in . $(NESTED); do (cd $$dir && $$linter fmt ./...); done

.PHONY: vulncheck
vulncheck: toolchain ## Check the dependencies for known vulnerabilities
	$(GO) tool -modfile=hack/tools/go.mod govulncheck ./...

.PHONY: test
test: test-unit test-cluster ## Run all tests that are fast and require no browser

.PHONY: test-unit
test-unit: toolchain compiler ## Run the tests that require no control plane
	@echo "go test -race, packages without a control plane"
	@$(GO) test $(TESTFLAGS) -race $(UNIT_PACKAGES)
	@# Files outside of these modules do not count for the cache of results.
	@for dir in $(NESTED); do $(GO) -C $$dir test -count=1 ./...; done

.PHONY: test-cluster
test-cluster: compiler kube-controller-manager ## Run the tests on a real control plane
	@echo "go test -race, packages on a control plane"
	@KUBEBUILDER_ASSETS=$(BIN)/k8s $(GO) test $(TESTFLAGS) -race -timeout 40m $(CLUSTER_PACKAGES)

.PHONY: test-future
test-future: compiler kube-controller-manager ## Run the tests against a sandbox that returns more than is documented
	SMILE_SANDBOX_QUIRKS=future=on KUBEBUILDER_ASSETS=$(BIN)/k8s $(GO) test $(TESTFLAGS) -timeout 40m ./internal/smile/... $(CLUSTER_PACKAGES)
	SMILE_SANDBOX_QUIRKS=future=on $(E2E) -timeout 60m ./internal/e2e/...

# Tests of whole processes. These tests mostly wait, so more run in parallel than there are cores. Packages run one after the other:
# with more at once, two cores are so busy that times are exceeded.
E2E := KUBEBUILDER_ASSETS=$(BIN)/k8s $(GO) test $(TESTFLAGS) -tags e2e -p 1 -parallel 8
# The journey of crash-points and failed-writes: a name, today, or all.
JOURNEY ?= all

.PHONY: e2e
e2e: compiler kube-controller-manager browser axe ## Run the tests of whole processes, and of the widget in a browser
	@$(call need,node,nodejs,the examples in Node)
	@$(call need,curl,curl,the commands of the documentation)
	$(E2E) -timeout 60m ./internal/e2e/... ./internal/sandbox/browsertest/... ./internal/sandbox/docstest/...
	KUBEBUILDER_ASSETS=$(BIN)/k8s $(GO) -C hack/chart test $(TESTFLAGS) -tags e2e -count=1 -timeout 30m ./cluster

.PHONY: wink-journeys
wink-journeys: compiler kube-controller-manager browser axe ## Have George use the hosted page in a browser, 20 times in a row
	$(E2E) -timeout 2h -v -count=20 -failfast -run '^TestWink' ./internal/e2e/

.PHONY: e2e-long
e2e-long: compiler kube-controller-manager ## Run the tests of whole processes that take a long time or use much memory
	E2E_LONG=1 $(E2E) -timeout 90m -v -run '^(TestAPIServerOutages|TestEtcdPauses|TestUnrelatedSecretsTakeNoMemory|TestSeriesAreBounded)$$' ./internal/e2e/

.PHONY: crash-points
crash-points: compiler kube-controller-manager ## Kill the operator at each of its calls, before and after the call is done (JOURNEY=today, or a name)
	E2E_JOURNEY="$(JOURNEY)" $(E2E) -timeout 3h -v -run '^TestCrashPoints$$' ./internal/e2e/

.PHONY: failed-writes
failed-writes: compiler kube-controller-manager ## Fail each write to the API server in three ways (JOURNEY=today, or a name)
	E2E_JOURNEY="$(JOURNEY)" $(E2E) -timeout 3h -v -run '^TestFailedWrites$$' ./internal/e2e/

.PHONY: flood
flood: compiler kube-controller-manager ## Send the receiver 2,000 forged and 50 genuine events a second for 60 s
	E2E_FLOOD=1 $(E2E) -timeout 20m -v -run '^(TestForgeriesDoNotDrownEvents|TestEventToData)$$' ./internal/e2e/

.PHONY: soak
soak: compiler control-plane ## Create 10,000 users under random faults, and run 500 random trials of a user's data
	SMILE_CREATES=$${SMILE_CREATES:-10000} SMILE_TRIALS=$${SMILE_TRIALS:-500} KUBEBUILDER_ASSETS=$(BIN)/k8s \
		$(GO) test $(TESTFLAGS) -race -timeout 4h -ginkgo.focus 'turmoil|However much goes wrong|Whatever becomes' ./controllers/user/ ./controllers/accountsync/

.PHONY: model
model: toolchain ## Explore more faults in the model of the creation protocol than make test does
	SMILE_MODEL=full $(GO) test $(TESTFLAGS) -timeout 2h ./internal/createmodel

.PHONY: nightly
nightly: ## Run all tests, fuzzing and measurements, and write docs/nightly.md (NIGHTLY_ONLY=fuzz,bench for some parts)
	$(GO) run ./hack/nightly

.PHONY: fuzz
fuzz: toolchain ## Search each parser for input that breaks it (FUZZ_INPUTS=50000 for each)
	@for package in $$(git grep -lE '^func Fuzz' -- '*_test.go' | xargs -n1 dirname | sort -u); do \
		for target in $$(grep -hoE '^func Fuzz[[:alnum:]]+' $$package/*_test.go | cut -c6-); do \
			echo "$$package $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $${FUZZ_INPUTS:-50000}x ./$$package; done; done

.PHONY: bench
bench: kube-controller-manager ## Measure calls, writes, times and memory for 1,000 users (BENCH=full for 10,000; BENCH_USERS=n)
	$(GO) run ./hack/bench

.PHONY: bench-compare
bench-compare: kube-controller-manager ## Measure commit BASE and this one in turn, three times each; fail if this one is worse (BENCH_ONLY=startup,paced)
	@[ -n "$(BASE)" ] || { echo "set BASE to the commit to compare with, as in make bench-compare BASE=main BENCH_ONLY=startup" >&2; exit 1; }
	BENCH_BASE=$$(git rev-parse --verify "$(BASE)^{commit}") $(GO) run ./hack/bench

##@ Tools

.PHONY: control-plane
control-plane: toolchain ## Install etcd, kube-apiserver and kubectl into bin/k8s
	@$(GO) -C hack/controlplane run ./fetch -out $(BIN)/k8s

.PHONY: kube-controller-manager
kube-controller-manager: toolchain ## Install kube-controller-manager into bin/k8s too
	@$(GO) -C hack/controlplane run ./fetch -out $(BIN)/k8s -with-controller-manager

.PHONY: toolchain
toolchain:
	@$(call need,git,git,the build)
	@command -v $(GO) >/dev/null || { echo "Missing: $(GO), $(GO_MINIMUM) or newer" >&2; exit 1; }
	@version=$$($(GO) env GOVERSION); printf '%s\n' $(GO_MINIMUM) "$$version" | sort -CV || \
		{ echo "$$version is too old: $(GO_MINIMUM) or newer is required" >&2; exit 1; }

.PHONY: browser
browser:
	@[ -n "$${CHROMIUM:-}" ] || { $(call need,chromium chromium-browser google-chrome,chromium,a browser); }

# axe-core checks that pages are accessible.
.PHONY: axe
axe:
	@cmp -s hack/tools/axe/package-lock.json $(BIN)/axe/installed || { $(call need,npm,npm,the checks of accessibility); \
		$(call need,curl,curl,the backend of the tests); mkdir -p $(BIN)/axe; cp hack/tools/axe/package*.json $(BIN)/axe/; \
		(cd $(BIN)/axe && npm ci --no-audit --no-fund --loglevel=error) && cp hack/tools/axe/package-lock.json $(BIN)/axe/installed; }

.PHONY: compiler
compiler:
	@$(call need,gcc clang,gcc libc6-dev,the race detector)

.PHONY: clean
clean: ## Remove bin/ and dist/; the control plane stays in your cache directory
	rm -rf $(BIN) dist

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## "; print "make <target>" } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  %-25s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
