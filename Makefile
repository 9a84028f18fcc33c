# Everything a checkout needs, from a fresh clone: each target sets itself up.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check -q
MNIST  := examples/mnist

.PHONY: demo lessons test lint bench golden venv clean help

help:
	@echo "make venv    set up $(VENV), with the program in $(BIN)/netspec"
	@echo "make demo    train, export and draw a net on the real MNIST"
	@echo "make lessons DATA=DIR  train the lessons of examples/lessons on real data, make their table"
	@echo "make test    all tests"
	@echo "make lint    formatting, lint, types, import floors"
	@echo "make bench   the benchmarks this machine can run"
	@echo "make golden  rewrite the golden files; read the difference"

# torch comes first and alone: whatever depends on it then finds the version that the constraints name.
$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt torch
	$(PIP) install -c constraints.txt -e .
	touch $@

# torchvision is something to compare with, never a dependency: its wheels name the torch they were built with, which may be another build.
$(VENV)/ready-dev: $(VENV)/ready
	$(PIP) install -c constraints.txt -e ".[dev]"
	$(PIP) install -c constraints.txt --no-deps torchvision
	touch $@

venv: $(VENV)/ready

demo: $(VENV)/ready
	rm -rf runs/demo
	$(BIN)/netspec check specs/mnist_convnet.net
	$(BIN)/netspec summary specs/mnist_convnet.net
	$(BIN)/netspec train specs/mnist_convnet.net --data $(MNIST)/mnist.npz --out runs/demo
	$(BIN)/netspec export runs/demo --onnx runs/demo/digits.onnx
	$(BIN)/netspec predict runs/demo/digits.onnx $(MNIST)/digits
	$(BIN)/netspec render specs/mnist_convnet.net --out runs/demo/net.svg
	@echo "Look at runs/demo: report.html, history.csv, digits.onnx, net.svg"

lessons: $(VENV)/ready
	@test -n "$(DATA)" || { echo "make lessons DATA=DIR: examples/lessons/README.md says what DIR holds"; exit 2; }
	$(BIN)/python -m examples.lessons --data $(DATA)

test: $(VENV)/ready-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(VENV)/ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/ready-dev
	$(BIN)/python -m benchmarks

golden: $(VENV)/ready-dev
	$(BIN)/python -m pytest --golden

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
