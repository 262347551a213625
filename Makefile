# One virtual environment, made on the first call of any target; needs Python >= 3.11 and make, nothing else.
#   make demo      from an equation to a report, in about two minutes
#   make test      the tests             make test-slow    also those that take minutes
#   make check     lint, format, types, import contract
#   make dev       install, with the commit hooks

PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11 python,\
	$(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
JOBS ?= 2
BIN := .venv/bin
READY := .venv/.ready

# An activated environment or a caller's PYTHONPATH would put other packages before ours.
unexport PYTHONPATH PYTHONHOME

.PHONY: demo test test-slow test-newest check format dev clean

demo: $(READY)
	$(BIN)/kanop demo

# OpenMP threads of parallel workers fight for the same cores: one thread each. (`python -m pytest` would put this folder on
# the path, where `import datasets` finds ours and not Hugging Face's.)
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS)

test-slow: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) -m "slow or not slow"

check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

dev: $(READY)
	$(BIN)/pre-commit install

# The newest versions that pyproject.toml allows, in an environment of their own.
test-newest: .venv-newest/.ready
	OMP_NUM_THREADS=1 .venv-newest/bin/pytest -n $(JOBS)

clean:
	rm -rf .venv .venv-newest build dist *.egg-info

# torch goes first and pinned: asked for by another package, pip would take its newest build and a second copy of CUDA.
$(READY): pyproject.toml constraints.txt
	$(if $(PYTHON),,$(error kanop needs Python >= 3.11, and none was found; name one with `make PYTHON=/path/to/python3.12`))
	@echo "installing kanop and what it needs into .venv: some minutes, once"
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

.venv-newest/.ready: pyproject.toml
	$(if $(PYTHON),,$(error kanop needs Python >= 3.11, and none was found; name one with `make PYTHON=/path/to/python3.12`))
	@test -x .venv-newest/bin/pip || $(PYTHON) -m venv --clear .venv-newest
	.venv-newest/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager --editable '.[dev]'
	touch $@
