# Kefu 客服台. `make help` lists what there is; nothing but Go, gcc and make is needed for `make demo`.

# One tag list and one set of flags for everything that compiles: another list would compile SQLite's C again (about a minute).
# They reach build, run, vet, test, lint and the templ tool through GOFLAGS; no other file repeats them.
TAGS    := sqlite_fts5,sqlite_omit_load_extension,netgo,osusergo
export GOFLAGS := -tags=$(TAGS) -trimpath -buildvcs=false
export CGO_ENABLED := 1

# A static, stripped binary: it runs on any Linux of the same architecture, also in an empty container.
VERSION := $(shell git describe --tags --always 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION) -linkmode external -extldflags -static
BIN     := bin/kefu

# make lint builds this release from source through Go's own module cache; it is not part of the module.
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

N    ?= 1000
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo build test check generate lint crash bench screenshots clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## build and run the demo: server, simulated WeChat, sample team (ARGS="--addr 127.0.0.1:9000")
	$(BIN) demo $(ARGS)

build: ## build the static binary bin/kefu
	go build -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/kefu

test: ## run everything: unit, conformance, race, browser, crash, both databases
	@.ci/needs
	@$(MAKE) --no-print-directory build
	KEFU_BIN=$(CURDIR)/$(BIN) go test -race -count=1 -timeout 20m ./...

check: ## format, generated files, vet, import table
	@echo "gofmt"
	@out=$$(gofmt -l .) && if [ -n "$$out" ]; then echo "gofmt would change:"; echo "$$out"; exit 1; fi
	@echo "templates"
	@.ci/templates
	go vet ./...
	go test -count=1 -run 'TestImports|TestLicences' ./cmd/kefu

generate: ## format the templates and generate their Go files
	go tool templ fmt -log-level error .
	go tool templ generate -log-level error

lint: ## run golangci-lint (builds it first: several minutes, once)
	@echo "golangci-lint is built from source by: go run $(GOLANGCI)"
	@echo "The first time this takes several minutes; Go keeps the result in its build cache."
	go run $(GOLANGCI) run ./...

crash: build ## kill the server N times under load and count what it acknowledged (N=1000)
	KEFU_BIN=$(CURDIR)/$(BIN) KEFU_CRASH_KILLS=$(N) go test -race -count=1 -timeout 0 -v -run '^TestCrash' ./internal/e2e

bench: build ## measure callbacks at 1, 16 and 64 clients, and live fan-out
	$(BIN) bench callbacks -c 1 -d 10s
	$(BIN) bench callbacks -c 16 -d 10s
	$(BIN) bench callbacks -c 64 -d 10s
	$(BIN) bench live -c 200 -d 10s

screenshots: build ## write the pages' pictures anew into docs/screenshots
	@.ci/needs
	KEFU_BIN=$(CURDIR)/$(BIN) KEFU_SHOTS=docs/screenshots go test -count=1 -run '^TestScreenshots$$' ./internal/e2e

clean: ## remove what was built
	rm -rf bin
