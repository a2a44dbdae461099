PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test docs dist bench clean

demo: $(VENV)/.installed  ## Run the main job on an embedded example.
	$(BIN)/freq2clean demo freq2clean-demo

test: $(VENV)/.installed-dev  ## Lint, format check, types, import arrows, tests, hot paths.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 --dist loadgroup
	$(BIN)/python benchmarks/hot_paths.py

docs: $(VENV)/.installed-dev  ## Build the documentation into build/site; every example runs.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

dist:  ## Build wheel and sdist, and try them in an environment of their own.
	PYTHON=$(PYTHON) .ci/dist

bench: $(VENV)/.installed-dev  ## Rewrite the figures of docs/performance.md.
	$(BIN)/python benchmarks/run.py

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt tests/careamics.txt tests/deepcad.txt tests/rois.txt tests/formats.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement tests/careamics.txt --requirement tests/deepcad.txt --requirement tests/rois.txt --requirement tests/formats.txt
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build dist freq2clean-demo
