# make demo    set up, index a folder and search it: IMAGES=folder QUERY=picture use your own
# make serve   set up, index a folder and open the page: IMAGES=folder
# make test    set up and run the tests
# See CONTRIBUTING.md for the rest.

VENV := .venv
PYTHON := $(VENV)/bin/python
# Stamp files: what they stand for is done; a changed pyproject.toml does it again.
DONE := $(VENV)/.done

export IMAGES QUERY
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_NO_INPUT = 1
export PIP_ROOT_USER_ACTION = ignore

.PHONY: help demo test test-all bench lint format clean

help:
	@sed -n 's/^# make/make/p' Makefile
	@echo "make test-all  with PyTorch too (several GB);  make bench  measure;  make lint;  make format;  make clean"

demo: $(DONE)-demo
	@$(PYTHON) examples/demo.py --images "$$IMAGES" --query "$$QUERY"

serve: $(DONE)-server
	@$(PYTHON) -m imagekin serve --open -c demo/served $${IMAGES:+"$$IMAGES"}

test: $(DONE)-test
	@$(PYTHON) -m pytest -q $(ARGS)

test-all: $(DONE)-test $(DONE)-torch
	@$(PYTHON) -m pytest -q $(ARGS)

bench: $(DONE)-demo
	@$(PYTHON) -m benchmarks $(ARGS)

lint: $(DONE)-dev
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy --strict

format: $(DONE)-dev
	@$(PYTHON) -m ruff check --fix --exit-zero -q .
	@$(PYTHON) -m ruff format .

clean:
	rm -rf $(VENV) demo

# The first Python of 3.11 or later that really runs: a name on the PATH may be a stub.
$(DONE)-venv:
	@for python in "$$IMAGEKIN_PYTHON" python3 python3.13 python3.12 python3.11 python; do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	    echo "Setting up $(VENV) with $$("$$python" --version)."; \
	    "$$python" -m venv $(VENV) && touch $@; exit; \
	done; echo "imagekin needs Python 3.11 or later; none was found. Set IMAGEKIN_PYTHON to one." >&2; exit 1

$(DONE)-%: pyproject.toml | $(DONE)-venv
	@echo "Installing imagekin[$*] into $(VENV); this happens once."
	@$(PYTHON) -m pip install -q -e ".[$*]"
	@touch $@
