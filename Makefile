# `make demo` and `make test` do all of their own set-up, in .venv, and can be repeated.

VENV := .venv
PEERS := .venv-peers
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable chrome
BIN := $(VENV)/bin
LOCK := requirements/lock.txt
SOURCES := src tests $(wildcard benchmarks) $(wildcard examples)

# pip reads both names: the first for what it installs (older pips: also for the build), the second for the build.
PIP := PIP_CONSTRAINT=$(LOCK) PIP_BUILD_CONSTRAINT=$(LOCK) PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet

# `make PYTHON=/path/to/python` chooses another interpreter. The pinned versions were resolved on 3.11.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$name"; break; }; done)

# Tests, examples and benchmarks on real data look here, unless CONVISTA_DATA says otherwise.
ifeq ($(origin CONVISTA_DATA),undefined)
ifneq ($(wildcard ../shared/data/.),)
export CONVISTA_DATA := $(abspath ../shared/data)
endif
endif

.DEFAULT_GOAL := help
.PHONY: help demo test test-all browser sanitize lint format bench bench-peers clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.ready-to-run ## train on handwritten digits and show the results
	@$(BIN)/convista demo

test: $(VENV)/.ready-to-develop ## the tests, and the examples of the documentation, but for the slow ones (ARGS="-k words" to choose)
	@$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal -m "not slow" $(ARGS)

test-all: $(VENV)/.ready-to-develop ## all tests, also the slow ones
	@$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal $(ARGS)

browser: ## a Chromium for the tests that open a page; Debian's, where none is there and it can be installed
	@for name in "$$CONVISTA_BROWSER" $(BROWSERS); do \
		if [ -n "$$name" ] && command -v "$$name" >/dev/null; then echo "Browser: $$(command -v "$$name")"; exit 0; fi; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Debian's Chromium (once; a minute or two)" >&2; \
		timeout 300 apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive timeout 900 apt-get install -qq --yes \
			--no-install-recommends chromium fonts-dejavu-core >/dev/null && command -v chromium && exit 0; fi; \
	echo "No Chromium: none of $(BROWSERS) is on PATH, and it cannot be installed from here (that takes root and apt-get)." >&2; \
	echo "Install one, or name it with CONVISTA_BROWSER=/path/to/chromium. Tests that need it are skipped." >&2; exit 1

sanitize: $(VENV)/.ready-to-develop ## the C++ tests of the native kernels under the address, undefined-behaviour and thread sanitizers
	@$(BIN)/cmake -S native -B build/address -DCONVISTA_TESTS=ON -DCONVISTA_SANITIZE=address,undefined -DCONVISTA_RANDOM_CASES=30 \
		"-DCONVISTA_TESTED=portable;avx512;amx"
	@$(BIN)/cmake --build build/address --parallel 2 --target native_tests
	@$(BIN)/ctest --parallel 2 --test-dir build/address --output-on-failure
	@$(BIN)/cmake -S native -B build/thread -DCONVISTA_TESTS=ON -DCONVISTA_SANITIZE=thread -DCONVISTA_RANDOM_CASES=10 \
		-DCONVISTA_TESTED=portable
	@$(BIN)/cmake --build build/thread --parallel 2 --target native_tests
	@$(BIN)/ctest --parallel 2 --test-dir build/thread --output-on-failure

lint: $(VENV)/.ready-to-develop ## style, formatting and types
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/mypy

format: $(VENV)/.ready-to-develop ## put the sources into shape
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

bench: $(VENV)/.ready-to-develop ## Convista against its peers, seven rows (ARGS="--rows 1 2" to choose, ARGS=--quick for a smoke run)
	@$(BIN)/python benchmarks/table.py --peers $(PEERS)/bin/python $(ARGS)

bench-peers: $(PEERS)/.ready ## the peers of `make bench`, in an environment of their own (3 GB)

clean: ## remove both environments, caches and build results (runs/ stays)
	rm -rf $(VENV) $(PEERS) build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is written only when everything before it succeeded, so an interrupted set-up starts again.
$(VENV)/.created:
	@test -n "$(PYTHON)" || { \
		echo "Convista needs Python 3.11 or newer, and none was found on PATH." >&2; \
		echo "Install one (Debian and Ubuntu: apt install python3 python3-venv) or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; \
		exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Convista needs Python 3.11 or newer. PYTHON=$(PYTHON) is not one." >&2; exit 1; }
	@echo "Setting up $(VENV) with $$("$(PYTHON)" --version)" >&2
	@"$(PYTHON)" -m venv $(VENV) || { \
		echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@touch $@

# The sources of the native kernels: when they change, installing again builds the library again.
NATIVE := $(wildcard native/*.h native/*.cc native/CMakeLists.txt)

$(VENV)/.ready-to-run: $(VENV)/.created pyproject.toml $(LOCK) $(NATIVE)
	@echo "Building the native kernels and installing Convista and its libraries (once; two or three minutes)" >&2
	@$(PIP) --editable .
	@touch $@

$(VENV)/.ready-to-develop: $(VENV)/.ready-to-run
	@echo "Installing the tools for tests and style (once)" >&2
	@$(PIP) --editable '.[test,lint]'
	@touch $@

# The main environment is only asked for its interpreter: the peers must not change what Convista is tested with.
$(PEERS)/.ready: requirements/peers.txt | $(VENV)/.created
	@echo "Installing what Convista is compared with into $(PEERS) (once; minutes)" >&2
	@$(BIN)/python -m venv --clear $(PEERS)
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(PEERS)/bin/python -m pip install --quiet --requirement requirements/peers.txt
	@touch $@
