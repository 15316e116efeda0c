# Each target sets up .venv by itself; python3 and make are all it takes.
PYTHON ?= python3
# Modules are compiled at their first import: most of those that are installed are never imported.
export PYTHONDONTWRITEBYTECODE :=
READY := .venv/.ready
TIME := $(shell date +%Y-%m-%d_%H-%M-%S)
RETRIEVAL := outputs/retrieval/shop/$(TIME)
RANKING := outputs/ranking/shop/$(TIME)

.PHONY: train test lint bench setup

train: $(READY)  ## simulate a shop, train and evaluate a retriever and a ranker, export both into one bundle
	@.venv/bin/python train.py hydra.run.dir=$(RETRIEVAL)
	@.venv/bin/python train.py task=ranking task.retriever=$(RETRIEVAL) hydra.run.dir=$(RANKING)
	@.venv/bin/python export.py run=$(RETRIEVAL) ranker=$(RANKING)
	@echo "run: $(RETRIEVAL)"
	@echo "run: $(RANKING)"

test: $(READY)  ## every test that needs no GPU and takes seconds
	@OMP_NUM_THREADS=1 .venv/bin/python -m pytest -q --numprocesses=auto --dist=loadfile --no-loadscope-reorder

lint: $(READY)
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

bench: $(READY)  ## speed, as ratios on this machine; make bench target=serving runs one
	@.venv/bin/python -m benchmarks $(target)

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -m venv .venv
	@.venv/bin/pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(READY)
