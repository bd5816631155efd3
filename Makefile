# Two commands do everything on a fresh Debian with Python, python3-venv, git and make: `make demo`, `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
BLOCKS ?= 3
CRASH_POINTS ?= 200
WORKERS ?= auto
METRICS_PORT ?= 9333
PROMETHEUS_PORT ?= 9090

.PHONY: help demo prometheus ask test crash lint types bench bench-farm format reference dashboards lock clean

help:  ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

demo: $(VENV)/.demo  ## a whole pool on this machine, until BLOCKS=3 blocks are found and accepted
	@$(BIN)/engineroom demo --blocks $(BLOCKS) --metrics-port $(METRICS_PORT)

prometheus:  ## Debian's Prometheus, unpacked: scrapes a pool on this machine, until Ctrl-C
	@METRICS_PORT=$(METRICS_PORT) PROMETHEUS_PORT=$(PROMETHEUS_PORT) exec deploy/prometheus/run-local

ask: $(VENV)/.demo  ## ask that Prometheus what the dashboards show at a glance, or EXPRESSION='...'
	@$(BIN)/python -m deploy.ask --port $(PROMETHEUS_PORT) $${EXPRESSION:+"$$EXPRESSION"}

test: $(VENV)/.dev  ## install what the tests need, then lint, types and all tests
	@.ci/packages litecoind postgresql
	@.ci/unpack prometheus prometheus-alertmanager
	@$(MAKE) --no-print-directory lint types
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal --durations=10

crash: $(VENV)/.dev  ## the crash matrix with 200 random points instead of 20; five minutes or more
	@.ci/packages litecoind postgresql
	CRASH_POINTS=$(CRASH_POINTS) $(BIN)/python -m pytest -q tests/crash

lint: $(VENV)/.dev  ## ruff: rules and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev  ## mypy, strict
	$(BIN)/mypy

bench: $(VENV)/.dev  ## CPU per share, time to 5,000 connections, memory per connection; asserts nothing
	@.ci/packages gcc libssl-dev postgresql
	@$(BIN)/python -m tests.benchmarks.run
	@$(BIN)/python -m tests.benchmarks.accounts

bench-farm: $(VENV)/.dev  ## 2,500 simulated machines, twenty broken: who is named and when; half an hour
	@$(BIN)/python -m tests.benchmarks.farm

format: $(VENV)/.dev  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

reference: $(VENV)/.dev  ## write what documents are generated anew: reference.yaml, metrics.md, the table of logs.md
	$(BIN)/engineroom config example > config/examples/reference.yaml
	$(BIN)/python -c 'from pool.instruments.reference import metrics_markdown; print(metrics_markdown(), end="")' > docs/metrics.md
	$(BIN)/python -m tests.pool.logs.page

dashboards: $(VENV)/.dev  ## write deploy/grafana/dashboards anew from the panels in deploy/grafana
	$(BIN)/python -m deploy.grafana.build

lock: $(VENV)/.dev  ## take the newest releases of all dependencies into constraints.txt
	$(BIN)/python -m pip install --quiet --upgrade --upgrade-strategy eager -e '.[dev]'
	$(BIN)/python -m pip freeze --all --exclude-editable --exclude engineroom --exclude pip > constraints.txt

clean:  ## remove everything that these commands made
	rm -rf $(VENV) .debian build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis tests/benchmarks/build

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "Engineroom runs on Python 3.11 to 3.13; name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  rm -rf $(VENV); echo "no venv: run: sudo apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing into $(VENV) ..."
	@$(PIP) --editable '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing into $(VENV) ..."
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.demo
