# Two commands for a newcomer: `make bench` and `make test`. Both install first; both are quick the second time.
# CONSTRAINTS= (empty) installs without pins, for a Jetson's own torch; PYTHON=python3.12 chooses the interpreter.

PYTHON ?= python3
CONSTRAINTS ?= -c constraints.txt
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install bench test fuzz lint clean

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("voxgate needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS) -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps Resemblyzer==0.1.4
	@touch $@

# Exit code 3 is no failure here: on a fresh machine nothing regressed, and speed has no baseline yet. Pipelines call voxgate
# itself, whose codes stay.
bench: install
	$(BIN)/voxgate check smoke || test $$? -eq 3

# Tests that judge real speed (marked `alone`) get the machine for themselves; the others share it, a process per CPU.
test: install lint
	$(BIN)/python -m pytest -m "not alone" --numprocesses logical --maxprocesses 4 --dist loadfile
	$(BIN)/python -m pytest -m alone

# The long form of the fuzzers, of which `test` has a short one: minutes to an hour. Smallest inputs of faults: build/fuzz.
fuzz: install
	$(BIN)/python -m tests.fuzz --inputs 300000

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache build *.egg-info
