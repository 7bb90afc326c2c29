PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

KERNELS := setup.py src/losskit/ops/constants.py $(wildcard csrc/*)
# Prints a note if the C kernels could not be built.
REPORT := @$(BIN)/python -c "from losskit.ops import native; native.AVAILABLE or print(native.MISSING)"

.PHONY: compare test test-all lint docs fuzz bench instructions versions browser integrations clean

# Compare losses on real data and write a report.
compare: .venv/compare.done
	$(BIN)/losskit compare $(ARGS)

# Tests, lint and types; needs only Python and a C compiler.
test: .venv/dev.done
	$(BIN)/python -m pytest -m "not browser and not slow" -n 2 $(ARGS)
	$(MAKE) lint
	@echo "Browser tests were not run: make browser opens the report in headless Chromium."

# The same plus slow tests: more examples of each property, long sweeps, tests that need 12 GiB of memory.
test-all: .venv/dev.done
	LOSSKIT_EFFORT=20 $(BIN)/python -m pytest -m "not browser" -n 2 $(ARGS)

lint: .venv/dev.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/dev.done
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

# Time and memory compared with other libraries; ARGS="--help" lists the options.
bench: .venv/dev.done
	PYTHONPATH=benchmarks $(BIN)/python -m bench $(ARGS)

# Instruction counts of calls with small tensors, which are independent of other load on the machine; needs valgrind.
instructions: .venv/dev.done
	$(BIN)/python benchmarks/instructions.py $(ARGS)

# Installation and tests with other versions of Python and PyTorch and other compilers; ARGS="--help" lists the options.
versions:
	$(PYTHON) benchmarks/versions.py $(ARGS)

# Random formulas, evaluated in C and compared with PyTorch.
fuzz: .venv/dev.done
	PYTHONPATH=tests $(BIN)/python tests/fuzz_formulas.py $(ARGS)

browser: .venv/dev.done
	$(BIN)/python -m pytest -m browser $(ARGS)

# Run the examples and notebooks with the real libraries; ARGS="with_onnx segmentation" selects some.
integrations: .venv-integrations/done
	.venv-integrations/bin/python examples/run_integrations.py $(ARGS)

.venv-integrations/done: pyproject.toml constraints.txt $(KERNELS)
	$(PYTHON) -m venv .venv-integrations
	.venv-integrations/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[integrations]'
	touch $@

# The peers are installed last, so that their pins do not determine our versions.
.venv/dev.done: pyproject.toml constraints.txt $(KERNELS) | .venv/bin/python
	$(INSTALL) --editable '.[dev]'
	$(INSTALL) --editable '.[peers]'
	$(REPORT)
	touch $@

.venv/compare.done: pyproject.toml constraints.txt $(KERNELS) | .venv/bin/python
	$(INSTALL) --editable '.[compare]'
	$(REPORT)
	touch $@

.venv/bin/python:
	$(PYTHON) -m venv .venv

clean:
	rm -rf .venv .venv-integrations build docs/_build docs/losses src/losskit/_native*
