# Everything runs in .venv with the packages of requirements/lock.txt. The first target that needs it builds it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# CI tries more examples than a developer waits for.
export HYPOTHESIS_PROFILE ?= $(if $(filter true,$(CI)),ci,dev)
PYTEST_ARGS ?=
VERIFY_ARGS ?=
DOCS_OUT := docs/_build/html
TYPESCRIPT := tests/harnesses/typescript

.DEFAULT_GOAL := help
.PHONY: help setup verify test coverage lint format types imports matrix docs typescript crosshair lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## create .venv with the pinned packages (done once)

verify: setup ## the main job: every statement and its verdict
	@$(BIN)/linera-reference verify $(VERIFY_ARGS)

test: setup ## the whole test suite on two cores
	@$(BIN)/pytest -n 2 --dist worksteal -q -ra $(PYTEST_ARGS)

coverage: setup ## branch coverage of the core by its own tests, 97 % at least
	@HYPOTHESIS_PROFILE=dev $(BIN)/pytest -n 2 -q --cov --cov-report=term tests/reference

lint: setup ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: setup ## let ruff format and repair
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

types: setup ## mypy --strict on both packages
	@$(BIN)/mypy --strict

imports: setup ## which module may import which
	@$(BIN)/lint-imports

matrix: setup ## traceability: clause, code, predicate, test
	@$(BIN)/linera-reference matrix --check

docs: setup ## the documentation site; a warning is an error
	@$(BIN)/sphinx-build -W --keep-going -q -j 2 docs $(DOCS_OUT)
	@echo "open $(DOCS_OUT)/index.html"

typescript: setup $(TYPESCRIPT)/node_modules/.package-lock.json ## the independent implementation (needs Node.js and npm)
	@cd $(TYPESCRIPT) && npm run --silent build && npm test --silent
	@$(BIN)/pytest -q -ra tests/harnesses/test_typescript.py

crosshair: setup ## a third opinion on the leaf functions, where CrossHair is installed
	@test -x $(BIN)/crosshair || { \
	    echo "crosshair: not installed, and no part of CI: $(BIN)/python -m pip install crosshair-tool" >&2; exit 2; }
	@$(BIN)/crosshair check --analysis_kind=asserts --per_condition_timeout=60 tests/invariants/proofs/leaves.py
	@echo "crosshair: no counterexample found in the time that it had"

lock: ## pin the newest packages again (needs uv)
	@uv pip compile pyproject.toml --extra dev --extra docs --extra proofs --extra explorer \
	    --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	    --no-emit-index-url --no-header --no-annotate --upgrade --quiet --output-file requirements/lock.txt > /dev/null

clean: ## remove everything that was built, .venv included
	@rm -rf $(VENV) build dist htmlcov coverage.xml .coverage docs/_build docs/_generated \
	    .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache \
	    $(TYPESCRIPT)/dist $(TYPESCRIPT)/node_modules
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(TYPESCRIPT)/node_modules/.package-lock.json: $(TYPESCRIPT)/package-lock.json
	@command -v npm > /dev/null || { echo "typescript: 'npm' was not found: install Node.js 20 or later" >&2; exit 2; }
	@cd $(TYPESCRIPT) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error

$(VENV)/.packages: requirements/lock.txt
	@command -v $(PYTHON) > /dev/null || { \
	    echo "setup: '$(PYTHON)' was not found: install Python 3.11 or later, or name one: make PYTHON=python3.12" >&2; \
	    exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "setup: Python 3.11 or later is needed, '$(PYTHON)' is $$($(PYTHON) --version 2>&1):" \
	         "name another one: make PYTHON=python3.12" >&2; \
	    exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
	    echo "setup: '$(PYTHON)' cannot create virtual environments (no venv or ensurepip):" \
	         "install them (on Debian and Ubuntu the package python3-venv)" >&2; \
	    exit 2; }
	@echo "setup: installing the pinned packages in $(VENV) (about a minute, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes --requirement requirements/lock.txt
	@touch $@

# Editable: the sources and spec/ are used where they stand.
$(VENV)/.installed: $(VENV)/.packages pyproject.toml
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
