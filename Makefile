# make demo: the bundled survey, end to end.   make test: all that must pass before a commit.
# A second run finds .venv ready and starts at once. PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALL := $(PIP) install --constraint constraints.txt
SOURCES := setup.cfg pyproject.toml constraints.txt

.PHONY: demo test test-all check bench schemas clean

demo: $(VENV)/.installed
	$(BIN)/survey-tools robustness data/mim -o out/mim-robustness
	$(BIN)/survey-tools run data/mim -o out/mim --robustness out/mim-robustness

test: $(VENV)/.tested
	$(BIN)/python -m pytest -n 2 --dist loadfile
	$(BIN)/python -m pytest --nbmake --override-ini "addopts=" notebooks

test-all: $(VENV)/.tested
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "slow or not slow"
	$(BIN)/python -m pytest --nbmake --override-ini "addopts=" notebooks

check: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(VENV)/.tested
	$(BIN)/python benchmarks/run_mim.py
	$(BIN)/python benchmarks/help_start.py
	$(BIN)/python benchmarks/harvest.py
	$(BIN)/python benchmarks/agreement.py
	$(BIN)/python benchmarks/robustness.py --commands
	$(BIN)/python benchmarks/robustness.py --engines
	$(BIN)/python benchmarks/mae.py
	$(PIP) install fastcluster==1.3.0
	$(BIN)/python benchmarks/linkage.py

schemas: $(VENV)/.installed
	for name in survey taxonomy subtrees claims; do \
	  $(BIN)/survey-tools schema $$name > data/schemas/$$name.schema.json || exit 1; done

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python $(SOURCES)
	$(INSTALL) --editable .
	touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(INSTALL) --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) out build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
