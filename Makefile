# Two commands do everything on a fresh machine with Rust, Go and make:
#   make demo    the operator on a real control plane and simulated clouds, in some minutes
#   make test    every test
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# kubectl and the control plane come from here, or from KUBEBUILDER_ASSETS if that is set.
CARGO ?= cargo

.PHONY: help
help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: tools
tools:
	@command -v $(CARGO) >/dev/null || { echo "Rust is missing: install it from https://rustup.rs (1.89 or newer)" >&2; exit 2; }
	@command -v cc >/dev/null || { echo "a C compiler is missing: install gcc or clang" >&2; exit 2; }

.PHONY: control-plane
control-plane: ## Build kube-apiserver, etcd, kubectl, a registry, helm and Prometheus from pinned Go modules (cached in target/)
	@tests/cluster/build.sh

.PHONY: test
test: tools ## Run every test (builds what is missing)
	@# Both builds are long the first time and use different tools: side by side.
	@tests/cluster/build.sh & control_plane=$$!; \
	  trap 'kill $$control_plane 2>/dev/null || true' EXIT; \
	  $(CARGO) test --workspace --exclude bench --no-run; \
	  wait $$control_plane; trap - EXIT
	$(CARGO) test --workspace --exclude bench --no-fail-fast

.PHONY: unit
unit: tools ## Run the tests that need no control plane
	$(CARGO) test -p imageref --lib --bins
	$(CARGO) test -p imageref --test suite -- facts plan cloud vectors walls resolve docs

.PHONY: test-sdk
test-sdk: tools ## Judge the simulated clouds by the vendors' own Python SDKs (needs python3 with venv)
	tests/sdk/run.sh

.PHONY: lint
lint: tools ## Check format and lints, warnings denied
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

.PHONY: demo
demo: tools ## Run the main job end to end; KEEP=1 leaves it running
	@tests/cluster/build.sh servers & control_plane=$$!; \
	  trap 'kill $$control_plane 2>/dev/null || true' EXIT; \
	  echo "building the operator, the simulated clouds and the test cluster" >&2; \
	  $(CARGO) build -p imageref -p fakecloud -p cluster --bins; \
	  wait $$control_plane; trap - EXIT
	@examples/demo.sh

.PHONY: bench
bench: tools ## Measure the operator beside a bare client; REFS=100,1000 SCENARIOS=cold_start SECRETS=50000
	@tests/cluster/build.sh servers & control_plane=$$!; \
	  trap 'kill $$control_plane 2>/dev/null || true' EXIT; \
	  $(CARGO) build --release --bin imageref; \
	  $(CARGO) build --release -p bench; \
	  wait $$control_plane; trap - EXIT
	@# 100,000 ImageRefs with their copies and revisions are more than etcd's 2 GiB.
	@ETCD_QUOTA_BACKEND_BYTES=8589934592 target/release/bench $(if $(REFS),--refs $(REFS)) $(if $(SCENARIOS),--scenarios $(SCENARIOS)) \
	  $(if $(SECRETS),--secrets $(SECRETS))

.PHONY: bench-admission
bench-admission: ## Measure admission: in one process, over TLS, and through the API server
	@$(MAKE) bench REFS=10000 SCENARIOS=admission_in_process,admission_tls,admission_apiserver

.PHONY: bench-verdict
bench-verdict: tools ## Measure verdicts of admission in one process, without a control plane
	$(CARGO) build --release -p bench
	@target/release/bench --verdicts

# Whichever is there; the file is the same for all.
BUILDER ?= $(firstword $(foreach tool,docker podman buildah,$(if $(shell command -v $(tool)),$(tool))))
ARCH ?= $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,amd64)
PLATFORM ?= linux/$(ARCH)
TAG ?= imageref:$(shell sed -n 's/^version = "\(.*\)"$$/\1/p' Cargo.toml | head -n 1)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)

.PHONY: image
image: ## Build the container image, compiled within the build; PLATFORM=linux/arm64 TAG=…
	@test -n "$(BUILDER)" || { echo "docker, podman or buildah is needed" >&2; exit 2; }
	@# Older buildah does not say by itself where it runs.
	$(BUILDER) build --platform $(PLATFORM) --build-arg REVISION=$(REVISION) \
	  $(if $(filter buildah,$(BUILDER)),--build-arg BUILDPLATFORM=linux/$(ARCH)) --tag $(TAG) $(IMAGE_FLAGS) .

.PHONY: image-local
image-local: tools ## Build the container image from the program compiled here, by buildah, without a registry
	tests/image/compile.sh $(ARCH) target/image/$(ARCH)
	buildah build --isolation chroot --platform linux/$(ARCH) --target local --build-arg REVISION=$(REVISION) --tag $(TAG) $(IMAGE_FLAGS) .

.PHONY: test-image
test-image: tools ## Build the container image, look into it, and start it beside a real API server
	tests/image/run.sh

.PHONY: test-otlp
test-otlp: tools control-plane ## Test the traces, which are compiled in by a feature
	$(CARGO) test --features otlp --test suite -- traces

.PHONY: fuzz
fuzz: tools ## Fuzz each parser of outside data SECONDS=60 long, adding to earlier runs; TARGETS=a,b FRESH=1 WITHIN=3300
	@command -v c++ >/dev/null || { echo "a C++ compiler is missing: install g++ or clang" >&2; exit 2; }
	RUSTC_WORKSPACE_WRAPPER=$(CURDIR)/tests/fuzz/instrument.sh $(CARGO) build --profile fuzzing -p fuzz --features engine --bins
	@target/fuzzing/campaign $(if $(SECONDS),--seconds $(SECONDS)) $(if $(TARGETS),--targets $(TARGETS)) \
	  $(if $(WITHIN),--within $(WITHIN)) $(if $(FRESH),--fresh)

.PHONY: chaos
chaos: tools ## Break what the operator stands on, adding to earlier runs; FAULTS=a,b REFS=1000 RUNS=n WITHIN=3300 FRESH=1 SEED=n
	@tests/cluster/build.sh servers & control_plane=$$!; \
	  trap 'kill $$control_plane 2>/dev/null || true' EXIT; \
	  $(CARGO) build -p imageref -p chaos --bins; \
	  wait $$control_plane; trap - EXIT
	@target/debug/chaos $(if $(FAULTS),--faults $(FAULTS)) $(if $(REFS),--refs $(REFS)) $(if $(RUNS),--runs $(RUNS)) \
	  $(if $(WITHIN),--within $(WITHIN)) $(if $(FRESH),--fresh) $(if $(SEED),--seed $(SEED))

.PHONY: soak
soak: tools ## Faults for MINUTES=60, and what memory, connections and tasks come to; REFS=2000 SEED=n
	@tests/cluster/build.sh servers & control_plane=$$!; \
	  trap 'kill $$control_plane 2>/dev/null || true' EXIT; \
	  $(CARGO) build --release --bin imageref; \
	  $(CARGO) build -p imageref -p chaos --bins; \
	  wait $$control_plane; trap - EXIT
	@target/debug/chaos --soak $(or $(MINUTES),60) --refs $(or $(REFS),2000) --operator target/release/imageref --out target/soak \
	  $(if $(SEED),--seed $(SEED))

MUTANTS := 27.1.0
.PHONY: mutants
mutants: tools ## Change the pure core in every small way and see what no test notices, adding to earlier runs; ROOMS=a,b FRESH=1 WITHIN=3300
	@target/tools/bin/cargo-mutants mutants --version 2>/dev/null | grep -qx 'cargo-mutants $(MUTANTS)' || \
	  $(CARGO) install cargo-mutants --version $(MUTANTS) --locked --root target/tools
	@$(CARGO) run --quiet -p mutants -- $(if $(ROOMS),--rooms $(ROOMS)) $(if $(WITHIN),--within $(WITHIN)) $(if $(FRESH),--fresh)

.PHONY: crds
crds: tools ## Write crds/ and the chart's copy anew from the types
	$(CARGO) run --quiet -- crd --dir crds
	$(CARGO) run --quiet -- crd --dir charts/imageref-operator/files/crds

.PHONY: manifests
manifests: tools ## Write deploy/ anew from the chart
	@tests/cluster/helm/build.sh
	UPDATE_FIXTURES=1 $(CARGO) test --test suite -- chart::manifests

.PHONY: deny
deny: ## Check licences, sources and duplicates of dependencies (needs cargo-deny)
	cargo deny --all-features check bans licenses sources

.PHONY: clean
clean: ## Remove everything that was built
	$(CARGO) clean
