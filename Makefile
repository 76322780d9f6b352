# make run    start the service (installs what it needs the first time)
# make test   install, then check style, types, import rules, and run all tests
# make setup  install only
#
# PYTHON=python3.12        another interpreter than python3; 3.11 or later
# TORCH_INDEX=<address>    where to take PyTorch from. The package index's own builds for Linux bring CUDA with them;
#                          PyTorch's index of CPU wheels (see "Get started" on its site) gives the small one.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INDEX := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
# What is installed is named after what it was installed from, so that a second start installs nothing.
STAMP := $(VENV)/.installed-$(shell cksum < requirements.lock | tr -d ' ')
TEST_STAMP := $(VENV)/.installed-test-$(shell cat requirements.lock requirements-test.lock | cksum | tr -d ' ')

.PHONY: run setup test lint

run: $(STAMP)
	@exec $(BIN)/amt serve

setup: $(STAMP)

test: $(TEST_STAMP) lint
	$(BIN)/python -m pytest

lint: $(TEST_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed, this is " + sys.version.split()[0] + "; try: make $(MAKECMDGOALS) PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(STAMP): | $(BIN)/python
	$(PIP) install $(INDEX) -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(TEST_STAMP): | $(STAMP)
	$(PIP) install $(INDEX) -r requirements.lock -r requirements-test.lock
	@touch $@
