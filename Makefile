PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

KERNELS := setup.py src/losskit/ops/constants.py $(wildcard csrc/*)
# Says so where no C compiler was found and the plain PyTorch operators serve.
REPORT := @$(BIN)/python -c "from losskit.ops import native; native.AVAILABLE or print(native.MISSING)"

.PHONY: compare test test-all lint docs fuzz bench instructions browser integrations clean

# The main job: compare losses on real data, with a report to open.
compare: .venv/compare.done
	$(BIN)/losskit compare $(ARGS)

# Everything that Python and a C compiler can check.
test: .venv/dev.done
	$(BIN)/python -m pytest -m "not browser and not slow" -n 2 $(ARGS)
	$(MAKE) lint
	@echo "The browser did not run here: make browser opens the report in headless Chromium."

# The same and what takes too long for every change: more examples of each property, long sweeps, 12 GiB of memory.
test-all: .venv/dev.done
	LOSSKIT_EFFORT=20 $(BIN)/python -m pytest -m "not browser" -n 2 $(ARGS)

lint: .venv/dev.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/dev.done
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

# Time and memory against the other libraries; ARGS="--help" says how to choose.
bench: .venv/dev.done
	PYTHONPATH=benchmarks $(BIN)/python -m bench $(ARGS)

# How many instructions a call of small tensors takes, which no other load on the machine changes; needs valgrind.
instructions: .venv/dev.done
	$(BIN)/python benchmarks/instructions.py $(ARGS)

# Random formulas as C evaluates them, against PyTorch.
fuzz: .venv/dev.done
	PYTHONPATH=tests $(BIN)/python tests/fuzz_formulas.py $(ARGS)

browser: .venv/dev.done
	$(BIN)/python -m pytest -m browser $(ARGS)

# The examples and notebooks with the libraries they are about; ARGS="with_onnx segmentation" runs those alone.
integrations: .venv-integrations/done
	.venv-integrations/bin/python examples/run_integrations.py $(ARGS)

.venv-integrations/done: pyproject.toml constraints.txt $(KERNELS)
	$(PYTHON) -m venv .venv-integrations
	.venv-integrations/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[integrations]'
	touch $@

# The peers come after the rest: their own pins must not choose our versions.
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
