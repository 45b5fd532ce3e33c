# The two commands a user needs are `make run` and `make test`. Both set up .venv first.
PYTHON ?= python3
CORES ?= 2
# Study files or folders of `make run`; those of config/config.yaml where none is named.
STUDIES ?=
VENV := .venv
BIN := $(VENV)/bin
# A stamp is a copy of the lock that was installed: an interrupted or outdated set-up never looks complete.
STAMP := $(VENV)/.installed.lock
DEV_STAMP := $(VENV)/.installed-dev.lock

# Where `make tracking-server` keeps its data, and where it listens.
FOLDER ?= results/.server
PORT ?= 5000
ARGS ?=
# Tests and steps are many short processes: none should compile again what another has.
WITH_BYTECODE := PYTHONDONTWRITEBYTECODE=
# And many small JAX programs, each run for moments: unoptimised, they compile in a third of the time. `make test-long`
# compiles as users do.
UNOPTIMISED := XLA_FLAGS="--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"

.PHONY: help run test test-long lint lint-style lint-types lint-flow kernels kernels-trees kernels-forms format bench venv venv-dev lock docs docs-site clean tracking-server

help:
	@echo "make run    set up .venv from requirements.lock and run the studies of config/config.yaml,"
	@echo "            or of STUDIES=my.yaml; ARGS=... for what else snakemake takes"
	@echo "make test   set up and run every check"
	@echo "make tracking-server   an MLflow server for this machine (FOLDER=... PORT=... ARGS=...)"
	@echo "make venv | lint | format | bench | test-long | docs | docs-site | lock"

run: venv
	@exec $(BIN)/python workflow/run.py --cores $(CORES) $(if $(STUDIES),--config studies=$(STUDIES)) $(ARGS)

# Kernels, which several tests would each compile, are compiled once, beside the lint.
test: venv-dev
	@$(MAKE) --no-print-directory -j $(CORES) kernels lint
	$(WITH_BYTECODE) $(UNOPTIMISED) $(BIN)/python -m pytest -q -n $(CORES) --dist loadfile --no-loadscope-reorder --durations=15

test-long: venv-dev
	$(BIN)/python -m pytest -q -m long
	PREIMAGE_EXAMPLES=all $(BIN)/python -m pytest -q tests/property tests/unit

# In pieces of much the same length, for as many cores.
COMPILE := $(WITH_BYTECODE) PYTHONPATH=workflow $(BIN)/python -m preimage.inversion.kernels
kernels: kernels-trees kernels-forms

kernels-trees: venv
	@$(COMPILE) trees

kernels-forms: venv
	@$(COMPILE) linked process network planes

lint: lint-style lint-types lint-flow

lint-style: venv-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lint-types: venv-dev
	$(BIN)/mypy

lint-flow: venv-dev
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

format: venv-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

bench: venv
	@exec $(BIN)/python workflow/run.py --cores $(CORES) benchmark

tracking-server: venv
	@PATH="$(abspath $(BIN)):$$PATH" FOLDER="$(FOLDER)" PORT="$(PORT)" exec contrib/tracking-server/start.sh $(ARGS)

# The documentation as pages: docs/_build/index.html.
docs-site: venv-dev
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build

docs: venv
	PYTHONPATH=workflow $(BIN)/python -m preimage.study.documentation

# uv installs ten times as fast as pip, and replaces what an interrupted set-up has left half there. Modules are
# compiled as they are installed: where Python may not write bytecode, each step would compile all that it imports.
EXACTLY := --quiet --require-hashes --no-deps
PIP := $(BIN)/python -m pip --disable-pip-version-check
UV := $(BIN)/python envs/uv_like_pip.py pip
install = { $(PIP) install $(EXACTLY) -r requirements-uv.lock \
    && $(UV) install --python $(BIN)/python $(EXACTLY) --reinstall --compile-bytecode -r $(1); } \
  || { echo "uv can't install here, as it says above: pip does, which takes minutes"; \
       $(PIP) install $(EXACTLY) -r $(1); }

venv:
	@cmp -s requirements.lock $(STAMP) || { \
	  echo "setting up $(VENV) from requirements.lock (about 30 s the first time)"; rm -f $(STAMP); \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "preimage needs Python 3.11 or later: set PYTHON=..."; exit 1; }; \
	  $(PYTHON) -m venv $(VENV) \
	    || { echo "could not create $(VENV): on Debian, install python3-venv"; exit 1; }; \
	  { $(call install,requirements.lock); } && cp requirements.lock $(STAMP); }

# The tools that check the project, beside what it needs to run.
venv-dev: venv
	@cmp -s requirements-dev.lock $(DEV_STAMP) || { \
	  echo "adding the tools of requirements-dev.lock to $(VENV)"; rm -f $(DEV_STAMP); \
	  { $(call install,requirements-dev.lock); } && cp requirements-dev.lock $(DEV_STAMP); }

# Pins every package with its hashes, for Python 3.11 and later. What is pinned stays; ARGS=--upgrade renews it. pip's
# configuration doesn't count here: an index of a few files of each package would give too few hashes.
PIN := $(BIN)/python -m uv pip compile --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url --quiet
lock: venv
	$(PIN) $(ARGS) pyproject.toml -o requirements.lock
	$(PIN) $(ARGS) pyproject.toml --extra dev -c requirements.lock -o requirements-dev.lock
	$(PIN) $(ARGS) --group setup -o requirements-uv.lock
	$(BIN)/python envs/from_lock.py

clean:
	rm -rf .mypy_cache .pytest_cache .ruff_cache
