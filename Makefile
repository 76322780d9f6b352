# make run    start the service (installs what it needs the first time)
# make test   install, then check style, types, import rules, and run all tests
# make test-faults    of these, those that break the running parts and count jobs (tests/app/faults)
# make measure-faults the same, and write what was measured into docs/reliability.md
# make setup  install only
#
# make audit     ask for known flaws of everything that is installed (needs the network)
# make licences  check that everything that is installed may be used as it is used here
#
# PYTHON=python3.12        another interpreter than python3; 3.11 or later
# TORCH_INDEX=<address>    where to take PyTorch from. The package index's own builds for Linux bring CUDA with them;
#                          PyTorch's index of CPU wheels (see "Get started" on its site) gives the small one.
# JOBS=3                   processes that share the tests, 2 unless told; 0 runs one after another

PYTHON ?= python3
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INDEX := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
# What is installed is named after what it was installed from, so that a second start installs nothing.
LOCKS := requirements.lock requirements-torch.lock
STAMP := $(VENV)/.installed-$(shell cat $(LOCKS) | cksum | tr -d ' ')
TEST_STAMP := $(VENV)/.installed-test-$(shell cat $(LOCKS) requirements-test.lock | cksum | tr -d ' ')
TOOLS_STAMP := $(VENV)/.installed-tools-$(shell cksum < requirements-tools.lock | tr -d ' ')

.PHONY: run setup test test-faults measure-faults lint audit licences lock

run: $(STAMP)
	@exec $(BIN)/amt serve

setup: $(STAMP)

test-faults: $(TEST_STAMP)
	$(BIN)/python -m pytest tests/app/faults

measure-faults: $(TEST_STAMP)
	$(BIN)/python -m pytest tests/app/faults --measured docs/reliability.md

test: $(TEST_STAMP) lint
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile

lint: $(TEST_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# With --strict what cannot be looked up is an error, too: no news from a closed network is not good news.
audit: $(TOOLS_STAMP)
	$(VENV)/tools/bin/pip-audit --strict --disable-pip --no-deps $(LOCKS:%=-r %) -r requirements-test.lock

licences: $(TEST_STAMP) $(TOOLS_STAMP)
	$(VENV)/tools/bin/pip-licenses --python $(BIN)/python

# The lock files anew after a change of pyproject.toml.
lock: $(TOOLS_STAMP)
	scripts/lock

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed, this is " + sys.version.split()[0] + "; try: make $(MAKECMDGOALS) PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(STAMP): | $(BIN)/python
	$(PIP) install -r requirements.lock
	$(PIP) install $(INDEX) -r requirements-torch.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(TEST_STAMP): | $(STAMP)
	$(PIP) install -r requirements.lock -r requirements-test.lock
	@touch $@

# In an environment of their own: the tools' packages are none of the service's.
$(TOOLS_STAMP): | $(BIN)/python
	$(BIN)/python -m venv $(VENV)/tools
	$(VENV)/tools/bin/python -m pip --disable-pip-version-check --quiet install -r requirements-tools.lock
	@touch $@
