# Two commands for a newcomer: `make bench` and `make test`. Both install first; both are quick the second time.
# CONSTRAINTS= (empty) installs without pins, for a Jetson's own torch; PYTHON=python3.12 chooses the interpreter.

PYTHON ?= python3
CONSTRAINTS ?= -c constraints.txt
VENV := .venv
BIN := $(VENV)/bin

# Folders whose tests need no model, no worker process and no server: the quick half of `make test`.
FAST := tests/test_architecture.py tests/test_docs.py tests/test_public_api.py tests/test_suites_page.py \
        tests/harness/records tests/harness/suite tests/harness/judging tests/harness/analysis \
        tests/engine/text tests/engine/config --ignore=tests/harness/judging/test_kill_accept.py

.PHONY: help install bench test test-fast fuzz lint packages format reference clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 12

install: $(VENV)/installed ## make .venv with voxgate and everything for its tests

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("voxgate needs Python 3.10 or newer, this is " + sys.version.split()[0] + "; try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS) -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps Resemblyzer==0.1.4 resemble-perth==1.0.1
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS) -e ".[pesq]" || \
		echo "pesq could not be built; is there a C compiler? its metric is then missing, and said to be, and all else works"
	@touch $@

# Exit code 3 is no failure here: on a fresh machine nothing regressed, and speed has no baseline yet. Pipelines call voxgate
# itself, whose codes stay.
bench: install ## measure the embedded voice, judge it, print the table and where the page is
	$(BIN)/voxgate check smoke || test $$? -eq 3

# Tests that judge real speed (marked `alone`) get the machine for themselves; the others share it, a process per CPU.
test: install lint ## lint, types and all tests: what CI runs
	$(BIN)/python -m pytest -m "not alone" --numprocesses logical --maxprocesses 4 --dist loadfile
	$(BIN)/python -m pytest -m alone

# Without types: mypy takes a minute where it has no cache.
test-fast: install ## ruff and the quick tests: under a minute
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -q -m "not slow and not alone" --numprocesses 2 --dist loadfile $(FAST)

# The long form of the fuzzers, of which `test` has a short one: minutes to an hour. Smallest inputs of faults: build/fuzz.
fuzz: install ## 300,000 damaged inputs of every kind that voxgate reads
	$(BIN)/python -m tests.fuzz --inputs 300000

lint: install packages ## ruff and mypy, without tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# mypy follows no editable installation whose packages have other names than their folders.
packages: ## link the folders under build/packages, as they are installed, for type checkers
	@mkdir -p build/packages/voxgate
	@for path in harness engine harness/package/*; do ln -sfn "../../../$$path" build/packages/voxgate/; done

format: install ## format the code and mend what ruff can, in place
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

reference: install ## write docs/reference/ anew from the code
	$(BIN)/python -m tests.reference

clean: ## remove .venv, caches and build
	rm -rf $(VENV) .mypy_cache .ruff_cache build *.egg-info
