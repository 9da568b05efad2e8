# `make demo` and `make test` need Python 3.11 and nothing else: they install what they use into .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
TRITON := $(VENV)/triton
NODE := examples/browser examples/node
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-slow check triton node clean

demo: $(VENV)/demo.stamp  ## Compile two trained networks, explain real photos, write demo/index.html.
	$(BIN)/fgcompile demo -o demo

test: check $(VENV)/test.stamp triton node  ## Everything that has to pass before a change lands.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile

test-slow: $(VENV)/test.stamp triton node  ## The wide sweeps as well.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile -m "slow or not slow"

check: $(VENV)/test.stamp  ## Style and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

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
	$(PIP) -e '.[cpu,demo,openvino,ray,serve]' --group evidence --group test
	touch $@ $(VENV)/demo.stamp

$(VENV):
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) build dist demo
