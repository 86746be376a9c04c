SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

GO ?= go
CACHE := $(abspath $(or $(ROLLCALL_CACHE),.cache))
TOOLS := $(CACHE)/bin
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

GOFUMPT := $(TOOLS)/gofumpt-v0.12.0
STATICCHECK := $(TOOLS)/staticcheck-v0.8.2
GOVULNCHECK := $(TOOLS)/govulncheck-v1.9.0
START := $(TOOLS)/start
TALLY := $(TOOLS)/tally

# What "make test PACKAGES=./targets/..." tests, and with which further flags of go test.
PACKAGES ?= ./...
TESTFLAGS ?=
FUZZTIME ?= 10s
BENCH ?= .
# What "make bench ROWS=4,5 SIZES=10000" measures; cmd/bench says what the rows are.
ROWS ?= 1,2,3,4,5,6
SIZES ?= 10000,100000,1000000

comma := ,
empty :=
space := $(empty) $(empty)
ROW_LIST = $(subst $(comma),$(space),$(ROWS))

.PHONY: build demo test check format vet lint docs fuzz bench microbench cover vuln clean help rig

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## bin/rollcall, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/rollcall ./cmd/rollcall

demo: build ## builds, then runs an import and a sync between sample directories in a temporary folder
	testdata/demo/run.sh bin/rollcall

test: rig ## all tests under the race detector, with real servers that it installs, starts and stops
	$(START) -- $(SHELL) -o pipefail -c '$(GO) test -json -race -count=1 -timeout 20m $(TESTFLAGS) $(PACKAGES) | $(TALLY)'

check: format vet lint test docs ## what CI runs: format, vet, lint, tests (fuzz seeds and import arrows included), generated files

format: $(GOFUMPT)
	@unformatted=$$(git ls-files -co --exclude-standard '*.go' | xargs $(GOFUMPT) -l); \
	if [ -n "$$unformatted" ]; then echo "not formatted, run gofumpt -w on:"; echo "$$unformatted"; exit 1; fi

vet:
	$(GO) vet ./...

lint: $(STATICCHECK)
	$(STATICCHECK) ./...

# The tests compare each generated table with its source; what they cannot see is the list of modules.
docs:
	$(GO) mod tidy -diff

fuzz: ## each fuzz target for FUZZTIME
	@git ls-files -co --exclude-standard '*_test.go' | xargs grep -l '^func Fuzz' | xargs -n1 dirname | sed 's|^|./|' | sort -u | while read -r package; do \
	  for target in $$($(GO) test -list '^Fuzz' "$$package" | grep '^Fuzz'); do \
	    echo "$$package $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package" </dev/null; \
	  done; \
	done

# Servers are started for the rows that need them only. Nothing here is under the race detector, which would slow down one
# side of the comparison.
bench: build rig ## the table of ratios against bare clients; ROWS=4,5 SIZES=10000 for a part of it
	$(GO) build -o $(TOOLS)/bench ./cmd/bench
	$(strip $(if $(filter 1 2 3,$(ROW_LIST)),$(START) $(if $(filter 1 3,$(ROW_LIST)),,-only wordpress) --) \
	  $(TOOLS)/bench -binary bin/rollcall -folder $(CACHE)/bench -rows '$(ROWS)' -sizes '$(SIZES)')

microbench: rig ## the benchmarks of single parts named by BENCH, with real servers
	$(START) -- $(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 60m $(TESTFLAGS) $(PACKAGES)

CORE := sync/mapping sync/diff sync/plan sync/guard
MODULE = $(shell $(GO) list -m)

cover: ## statement coverage of the pure core by its own tests
	@mkdir -p $(CACHE)
	$(GO) test -count=1 -covermode=set -coverprofile=$(CACHE)/core.cover \
	  -coverpkg=$(subst $(space),$(comma),$(addprefix $(MODULE)/,$(CORE))) $(addprefix ./,$(CORE))
	@$(GO) tool cover -func=$(CACHE)/core.cover | awk '$$NF != "100.0%"'

vuln: $(GOVULNCHECK) ## known holes in what is used; needs the public database of Go
	$(GOVULNCHECK) ./...

clean: ## removes what was built; the downloads and the results in .cache stay
	rm -rf bin $(TOOLS) $(CACHE)/core.cover

# Built under the race detector as the tests are, so that the standard library is compiled once.
rig:
	@mkdir -p $(TOOLS)
	@$(GO) build -race -o $(TOOLS)/ ./sync/directory/directorytest/real/start ./sync/internal/tally

$(GOFUMPT):
	$(call install,mvdan.cc/gofumpt)

$(STATICCHECK):
	$(call install,honnef.co/go/tools/cmd/staticcheck)

$(GOVULNCHECK):
	$(call install,golang.org/x/vuln/cmd/govulncheck)

# install puts a tool of one version under a name that holds the version.
define install
	@mkdir -p $(TOOLS)
	@work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	GOBIN="$$work" GOFLAGS= $(GO) install $(1)@$(lastword $(subst -v, v,$(notdir $@))) && mv "$$work/$(notdir $(1))" $@
endef
