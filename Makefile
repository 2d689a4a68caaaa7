# Two commands set everything up on a machine with Python 3.11 and make: `make demo` and `make test`.

PYTHON ?= python3
PORT ?= 8080
VENV := .venv
BIN := $(VENV)/bin
export PORT

.PHONY: demo test check bench crash clocks oracle screenshots lock clean

demo: $(VENV)/.runtime
	$(BIN)/itsm demo $(if $(FRESH),--fresh)

test: $(VENV)/.dev
	$(BIN)/pytest -n auto

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/itsm workflow check workflows
	$(BIN)/itsm workflow test workflows

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks $(ARGS)

crash: $(VENV)/.dev
	$(BIN)/python -m benchmarks.crash $(ARGS)

clocks: $(VENV)/.dev
	$(BIN)/python -m benchmarks.clocks $(ARGS)

oracle: $(VENV)/.dev
	$(BIN)/python -m benchmarks.oracle $(ARGS)

# Pinned with hashes; names no index and no host.
lock: $(VENV)/.dev
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --extra build pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --extra build --extra dev pyproject.toml -o requirements-dev.lock

$(VENV)/.runtime: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -e $(VENV)/.dev || $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q itsm migrations
	touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q itsm migrations
	touch $@ $(VENV)/.runtime

clean:
	rm -rf $(VENV) var build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
