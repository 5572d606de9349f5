# The two commands that a newcomer needs are `make demo` and `make test`; the others serve development.
SHELL := /bin/bash
.DEFAULT_GOAL := help
# Node 24 comes with the development dependencies and stands before the system's own, whatever version that is.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

.PHONY: help demo test check gen tools e2e e2e-tools images cluster bench clean

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: tools ## run the example shop with real Envoys (ONCE=1 exits after the walk-through)
	@node cli/seawall.ts demo $(if $(ONCE),--once)

test: tools ## format, lint, types, unit tests, goldens and oracle against a real Envoy, the demo
	@npm run --silent check
	@npm run --silent test

check: tools ## format, lint and types only
	@npm run --silent check

gen: tools ## generate the protobuf code for the pinned Envoy

tools: node_modules/.installed ## fetch the pinned Envoy and generate code (nothing the second time)
	@node tools/fetch-envoy.ts > /dev/null
	@node tools/generate-protobuf.ts

e2e: e2e-tools ## tests on a real cluster that is booted here as root, or that KUBECONFIG names
	@node e2e/cluster/examine.ts
	@node --experimental-vm-modules node_modules/jest/bin/jest.js --config jest.e2e.config.js

e2e-tools: tools ## build and install what a real cluster is made of (nothing the second time)
	@node tools/cluster/fetch-cluster-tools.ts $(if $(KUBECONFIG),api-server chart) > /dev/null

images: e2e-tools ## assemble the images, without docker; prints their archives
	@node tools/images/build-images.ts

cluster: e2e-tools ## boot a cluster to play with, as root; Ctrl-C removes it
	@node e2e/cluster/boot.ts

bench: tools ## measure cold connect, edits and memory at 100 and 1,000 sidecars
	@node bench/bench.ts

node_modules/.installed: package.json package-lock.json
	@bash tools/require-programs.sh
	@echo "installing dependencies with npm ..." >&2
	@npm ci --no-audit --no-fund --loglevel=error
	@node --version | grep -q '^v2[4-9]' || { echo "Node 24 was not put into node_modules/.bin: npm was told to run no install scripts. Run: npm rebuild node" >&2; exit 1; }
	@touch $@

clean: ## remove what was generated and installed in this folder
	rm -rf node_modules dist xds-server/gen
