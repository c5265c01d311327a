# make demo   plays a crisis in a virtual region on this machine (OUT=FOLDER keeps the pictures and the timeline)
# make test   runs all tests, the firmware's on real MicroPython too
# make check  style, types and the arrows between the layers
# make bench  measures speed and memory of the node; ARGS="..." runs another command of the technician's bench
# make clean  removes what runs leave behind; make distclean the installed tools too
#
# Needs Python 3.11 or newer (PYTHON=... names another one). No root; everything is installed below this folder.

PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.baken-installed
OUT ?=
ARGS ?=

# Without a home that can be written, caches stay in the checkout.
ifeq ($(strip $(XDG_CACHE_HOME)),)
ifneq ($(shell test -n "$$HOME" && test -d "$$HOME" && test -w "$$HOME" && echo yes),yes)
export XDG_CACHE_HOME := $(CURDIR)/.cache
endif
endif

.PHONY: help demo test check format bench micropython clean distclean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | sed '/^$$/q'

demo: $(STAMP)
	@$(VENV)/bin/python -m baken_hardware.virtual.interpreter --bits 64 --print >/dev/null
	@$(VENV)/bin/baken-demo $(if $(OUT),--out "$(OUT)")

test: micropython
	@$(VENV)/bin/python -m pytest -n auto --dist loadfile $(ARGS)

check: $(STAMP)
	@.ci/check

format: $(STAMP)
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

bench: $(STAMP)
	@$(VENV)/bin/baken-bench $(or $(ARGS),measure)

micropython: $(STAMP)
	@$(VENV)/bin/python -m baken_hardware.virtual.interpreter

$(STAMP): pyproject.toml
	@command -v "$(PYTHON)" >/dev/null || { echo "Baken needs Python 3.11 or newer, and there is no $(PYTHON) here."; exit 1; }
	@"$(PYTHON)" -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("Baken needs Python 3.11 or newer; $(PYTHON) is %d.%d. Name a newer one with: make PYTHON=python3.12" % v[:2])'
	@if ! $(VENV)/bin/python -c 'import pip' 2>/dev/null; then \
		echo "Making a Python environment in $(VENV) ..."; \
		rm -rf $(VENV); \
		"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
			echo "Python cannot make an environment here; on Debian and Ubuntu the package python3-venv is what it lacks."; exit 1; }; \
	fi
	@echo "Installing Baken and what it needs into $(VENV) (one or two minutes the first time) ..."
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

clean:
	@rm -rf build dist out .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	@rm -rf $(VENV) .cache
