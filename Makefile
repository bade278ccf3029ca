# `make run` and `make test` set up everything they need: system packages (apt), .venv, Python packages.

SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)

EXPERIMENT ?= quickstart
JOBS ?= 2

.DEFAULT_GOAL := run
.NOTPARALLEL:
.PHONY: run test regress check bench clean setup-run setup-test

run: setup-run  ## one experiment, from file to report
	neuromix run $(EXPERIMENT)

test: check  ## all checks, then all tests but the slow ones, which `make regress` runs
	python -m pytest -n $(JOBS) --dist loadfile -m "not slow"

regress: setup-test  ## what takes many minutes: published claims, as expected.yaml has them
	python -m pytest -m slow

check: setup-test  ## format, lint, types, direction of imports
	ruff format --check .
	ruff check .
	mypy
	lint-imports

bench: setup-run  ## speed of golden model, Icarus and Verilator
	python scripts/bench.py

clean:  ## removes what was generated; .venv stays
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

setup-run setup-test: setup-%:
	@scripts/setup.sh $*
