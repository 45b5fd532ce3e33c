# The two commands a user needs are `make run` and `make test`. Both set up .venv first.
PYTHON ?= python3
CORES ?= 2
# Study files or folders of `make run`; those of config/config.yaml where none is named.
STUDIES ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed.lock

# Where `make tracking-server` keeps its data, and where it listens.
FOLDER ?= results/.server
PORT ?= 5000
ARGS ?=

.PHONY: help run test test-long lint format bench venv lock docs clean tracking-server

help:
	@echo "make run    set up .venv from requirements.lock and run the studies of config/config.yaml,"
	@echo "            or of STUDIES=my.yaml; ARGS=... for what else snakemake takes"
	@echo "make test   set up and run every check"
	@echo "make tracking-server   an MLflow server for this machine (FOLDER=... PORT=... ARGS=...)"
	@echo "make venv | lint | format | bench | test-long | docs | lock"

run: venv
	@exec $(BIN)/python workflow/run.py --cores $(CORES) $(if $(STUDIES),--config studies=$(STUDIES)) $(ARGS)

test: venv
	@$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -q -n $(CORES) --dist loadfile --no-loadscope-reorder

test-long: venv
	$(BIN)/python -m pytest -q -m long
	PREIMAGE_EXAMPLES=all $(BIN)/python -m pytest -q tests/property

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

format: venv
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

bench: venv
	@exec $(BIN)/python workflow/run.py --cores $(CORES) benchmark

tracking-server: venv
	@PATH="$(abspath $(BIN)):$$PATH" FOLDER="$(FOLDER)" PORT="$(PORT)" exec contrib/tracking-server/start.sh $(ARGS)

docs: venv
	PYTHONPATH=workflow $(BIN)/python -m preimage.study.documentation

# The stamp is a copy of the lock: an interrupted or outdated set-up never looks complete.
venv:
	@cmp -s requirements.lock $(STAMP) || { \
	  echo "setting up $(VENV) from requirements.lock (about 90 s the first time)"; \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "preimage needs Python 3.11 or later: set PYTHON=..."; exit 1; }; \
	  $(PYTHON) -m venv $(VENV) \
	    || { echo "could not create $(VENV): on Debian, install python3-venv"; exit 1; }; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock \
	    && cp requirements.lock $(STAMP); }

# Needs uv (https is its business, not the lock's): pins every package with its hashes, for Python 3.11 and later.
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --quiet -o requirements.lock
	$(PYTHON) envs/from_lock.py

clean:
	rm -rf .mypy_cache .pytest_cache .ruff_cache
