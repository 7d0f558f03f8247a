# Every target sets up what it needs first and may be run again; set-up that stands is not done twice.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# The machine's Node may be older than the one that the project runs on; npm scripts find the right one by themselves.
node := node_modules/.bin/node
installed := node_modules/.package-lock.json

# A cluster is touched only when it is named here and now: make run KUBECONFIG=file. What the shell happens to export,
# and ~/.kube/config, are somebody's own.
unexport KUBECONFIG
ifeq ($(origin KUBECONFIG),command line)
  kubeconfig_flag := --kubeconfig '$(abspath $(KUBECONFIG))'
  cluster_needs := $(installed)
else
  cluster_needs := binaries
endif

.PHONY: help demo run test fuzz lint bench bench-streams bench-mask cluster cluster-down protobuf binaries

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1|\2/p' Makefile | while IFS='|' read -r name does; do \
	  printf '  make %-14s%s\n' "$$name" "$$does"; done

demo: $(cluster_needs) ## bring up a cluster, the operator and the gateway, and play the story of the README
	@npm run --silent demo -- $(kubeconfig_flag)

run: $(cluster_needs) ## keep them up and print a line for each decision; KUBECONFIG=file for a cluster of yours, RUN_FLAGS=--json
	@npm run --silent run -- $(kubeconfig_flag) $(RUN_FLAGS)

test: binaries ## all tests; TEST_FLAGS=core/policy for some
	@npm run --silent test -- $(TEST_FLAGS)

FUZZ_SECONDS ?= 600
fuzz: $(installed) ## search for what the masking engine gets wrong, for ten minutes; FUZZ_SECONDS=60
	@LOCKKEEPER_FUZZ_SECONDS='$(FUZZ_SECONDS)' npm run --silent test -- test/mask/fuzz --selectProjects=unit

lint: $(installed) ## format, lint and types
	@npm run --silent lint

bench: binaries ## the measurements of docs/performance.md
	@npm run --silent bench

bench-streams: binaries ## the same for streams into pods and many watches; needs a node (Linux, root)
	@npm run --silent bench:streams

bench-mask: $(installed) ## what masking costs, beside a copy of the same bytes and other redactors
	@npm run --silent bench:mask

cluster: $(installed) ## start a local Kubernetes API server that stays; NODE=1 with a node that runs pods
	@$(node) test/cluster/keep.ts up $(if $(filter-out 0,$(NODE)),--node)

cluster-down: $(installed) ## end it, with no trace
	@$(node) test/cluster/keep.ts down

# Of the version in go.mod: to go to another, `go get k8s.io/api@v0.X.Y k8s.io/client-go@v0.X.Y` there first.
schema := core/request/schema
protobuf: $(installed) ## write core/request/schema/table.ts and the bodies of its test anew; needs Go
	@mkdir -p .tsbuild && cd $(schema) && CGO_ENABLED=0 GOWORK=off go build -o $(CURDIR)/.tsbuild/schema .
	@.tsbuild/schema table > $(schema)/table.ts
	@.tsbuild/schema bodies < $(schema)/objects.yaml > $(schema)/testdata/bodies.jsonl
	@node_modules/.bin/biome format --write $(schema)/table.ts

# Apart from the targets that need them, so that a build of some minutes is seen, and a missing Go said in one sentence.
binaries: $(installed)
	@$(node) test/cluster/keep.ts binaries

# Not `npm ci`: it refuses a lock file without the optional packages of platforms that the registry did not serve where
# the file was made. This installs what the file locks and leaves the file alone.
$(installed): package-lock.json
	@command -v npm > /dev/null || { echo 'npm was not found: install Node.js 20 or newer (https://nodejs.org).' >&2; exit 1; }
	@version=$$(node --version) && major=$${version#v} && major=$${major%%.*}; if [ "$$major" -lt 20 ]; then \
	  echo "Node.js $$version is too old: install 20 or newer (https://nodejs.org)." >&2; exit 1; fi
	@echo "Installing npm packages..." && npm install --no-save --no-progress --loglevel=error
	@touch $@
