# `make demo` and `make test` need Python 3.11 and nothing else: they install what they use into .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
OLDEST := .venv-oldest
PYTHONS := 3.12 3.13
DIST := .venv-dist
DOCS := .venv-docs
TRITON := $(VENV)/triton
NODE := examples/browser examples/node
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# One test thread a core. A process that runs out of tests takes half of those that another has left.
PYTEST := python -m pytest -q -n 2 --dist worksteal
QUICK := "not slow and not whole"

.PHONY: demo test test-quick test-oldest test-pythons test-slow check style wheel docs triton node clean

demo: $(VENV)/demo.stamp  ## Compile a trained network, explain photos, write demo/index.html.
	$(BIN)/fgcompile demo -o demo

test: check $(VENV)/test.stamp triton node  ## Everything that has to pass before a change lands.
	OMP_NUM_THREADS=1 $(BIN)/$(PYTEST)

test-quick: style  ## Style, and the tests that make no artifact and start no program: two minutes.
	OMP_NUM_THREADS=1 $(BIN)/$(PYTEST) -m $(QUICK)

test-oldest: $(OLDEST)/stamp  ## The compiler's quick tests with the oldest versions that pyproject.toml allows.
	OMP_NUM_THREADS=1 $(OLDEST)/bin/$(PYTEST) -m $(QUICK) tests/compiler

test-slow: $(VENV)/test.stamp triton node  ## The wide sweeps as well.
	OMP_NUM_THREADS=1 $(BIN)/$(PYTEST) -m "slow or not slow"

test-pythons: $(PYTHONS:%=.venv-%/stamp)  ## What runs artifacts, in later versions of Python than the tests' own.
	for python in $(PYTHONS); do OMP_NUM_THREADS=1 FGCOMPILE_TEST_PYTHON=$(CURDIR)/.venv-$$python/bin/python \
		$(BIN)/python -m pytest -q -m "slow or not slow" tests/end_to_end/test_without_torch.py || exit 1; done

.venv-3.%/stamp: pyproject.toml
	python3.$* -m venv .venv-3.$*
	.venv-3.$*/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt '.[cpu,ray,serve,text]'
	touch $@

check: style wheel  ## Style, types and the wheel.
	$(BIN)/mypy

style: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

wheel: $(DIST)/stamp  ## Build the distributions, and check what a package index will be given.
	rm -rf dist
	$(DIST)/bin/python -m build --no-isolation
	$(DIST)/bin/twine check --strict dist/*
	$(DIST)/bin/check-wheel-contents dist/*.whl
	$(DIST)/bin/pyroma --min 9 --skip-tests AuthorEmail .

docs: $(DOCS)/stamp  ## Build the documentation as pages to open or to put on a server: site/index.html.
	$(DOCS)/bin/python -m tools.build_docs -o site

$(DOCS)/stamp: pyproject.toml
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --group docs
	touch $@

$(DIST)/stamp: pyproject.toml
	$(PYTHON) -m venv $(DIST)
	$(DIST)/bin/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(DIST)/bin/python -m pip install --quiet --disable-pip-version-check --group dist
	touch $@

triton: $(TRITON)/stamp  ## A Triton server for its tests, which are skipped where there is none for this machine.

# It wants an older NumPy than the rest, so it has an environment of its own.
$(TRITON)/stamp: Makefile | $(VENV)
	$(PYTHON) -m venv $(TRITON)
	$(TRITON)/bin/python -m pip install --quiet --disable-pip-version-check nvidia-pytriton==0.7.0 onnxruntime==1.32.0 \
		|| echo "no Triton server: its tests will be skipped"
	touch $@

node: $(VENV)/node.stamp  ## The packages of the examples in JavaScript, whose tests are skipped without Node.js.

$(VENV)/node.stamp: $(NODE:=/package-lock.json) | $(VENV)
	if command -v npm; then for folder in $(NODE); do npm ci --silent --ignore-scripts --prefix $$folder || exit; done; fi
	touch $@

$(VENV)/demo.stamp: pyproject.toml constraints.txt | $(VENV)
	$(PIP) -e '.[cpu,demo]'
	touch $@

$(VENV)/test.stamp: pyproject.toml constraints.txt | $(VENV)
	$(PIP) 'pip>=25.1'  # the first that knows dependency groups
	$(PIP) -e '.[cpu,demo,dicom,openvino,ray,serve]' --group evidence --group test
	touch $@ $(VENV)/demo.stamp

# uv, unlike pip, can choose the oldest. On Linux PyTorch comes with the libraries of CUDA: 3 GB.
$(OLDEST)/stamp: pyproject.toml
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(OLDEST)/bin/uv pip install --quiet --python $(OLDEST)/bin/python --resolution lowest-direct \
		-e '.[compile,cpu]' 'hypothesis>=6.100' 'pytest>=8' 'pytest-xdist>=3.5'
	touch $@

$(VENV):
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) $(OLDEST) $(DIST) $(DOCS) build dist demo site
