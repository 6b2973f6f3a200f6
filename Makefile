# `make demo` and `make test` set up everything they need on a fresh machine.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin
STAMP = $(VENV)/.installed

.PHONY: demo test lint types bench-overhead bench-drops bench-scan bench-real-apps bench-predict bench-price bench-stages clean

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "slowpath needs Python 3.11 or later; set PYTHON=...")'
	@echo "Setting up $(VENV) (a few minutes the first time) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(RUN)/pip install --quiet --disable-pip-version-check -e '.[lab,bench,dev]'
	@touch $@

demo: $(STAMP)
	@$(RUN)/python -m lab.demo

# Those that load servers run alone, so that they do not measure each other. On a machine that
# others share a measurement may fail once; it is repeated then, and the summary says so.
test: $(STAMP)
	@$(RUN)/pytest -q -n 2 --dist loadfile -m 'not slow' --reruns 1
	@$(RUN)/pytest -q -m slow --reruns 2

lint: $(STAMP)
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check .

types: $(STAMP)
	@$(RUN)/mypy

bench-overhead: $(STAMP)
	@$(RUN)/python -m bench.overhead

bench-drops: $(STAMP)
	@$(RUN)/python -m bench.drops

bench-scan: $(STAMP)
	@$(RUN)/python -m bench.scan

bench-real-apps: $(STAMP)
	@$(RUN)/python -m bench.real_apps

bench-predict: $(STAMP)
	@$(RUN)/python -m bench.predict

bench-price: $(STAMP)
	@$(RUN)/python -m bench.price

bench-stages: $(STAMP)
	@$(RUN)/python -m bench.stages

clean:
	rm -rf $(VENV) .slowpath .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
