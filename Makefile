# make demo   see it work, on this machine alone
# make test   everything CI checks
# make bench  measurements, by hand
# make dist   the wheel and the sdist, in dist/

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)

.PHONY: demo test lint format bench dist clean

demo: $(VENV)/htdl.stamp
	$(BIN)/htdl demo

test: lint
	$(BIN)/python -m pytest -n 4 --dist loadscope

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(VENV)/dev.stamp
	$(BIN)/python -m tests.bench

dist: $(VENV)/dev.stamp
	$(BIN)/python -m hatchling build

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/pip.stamp:
	@test -n "$(PYTHON)" || { echo "htdl needs Python 3.11, 3.12 or 3.13; name one with: make PYTHON=/path/to/python3.12 …" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/htdl.stamp: $(VENV)/pip.stamp pyproject.toml
	$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/htdl.stamp
	$(BIN)/pip install --quiet --group dev
	@touch $@
