# `make compare` and `make test` need Python >= 3.11 with its shared library, a C++ compiler and
# make; everything else is installed into .venv from pyproject.toml.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JOBS ?= 2

.PHONY: help compare test lint types vectors pictures exhaustive bench smoke clean
.DELETE_ON_ERROR:

help:
	@echo 'make compare     verify, synthesize and compare quantizers and dot products'
	@echo 'make test        the whole test suite, simulations included'
	@echo 'make exhaustive  full input spaces, resumable; records docs/verification.md'
	@echo 'make lint types  ruff and pyright'
	@echo 'make vectors     write golden_vectors/ again from the reference'
	@echo 'make pictures    draw the pictures of docs/hardware.md again from the design'
	@echo 'make bench       speed as ratios measured in one run'

$(STAMP): pyproject.toml bootstrap.sh
	@PYTHON='$(PYTHON)' sh bootstrap.sh $(VENV)
	@touch $@

compare: $(STAMP)
	@$(BIN)/finescale compare --unit quantizer --unit dot --report docs/comparison.md --readme README.md -o build/compare

test: $(STAMP)
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP)
	@$(BIN)/pyright

vectors: $(STAMP)
	@$(BIN)/finescale vectors write golden_vectors --committed --overwrite

pictures: $(STAMP)
	@rm -f docs/pictures/*.svg
	@$(BIN)/finescale draw --documented -o docs/pictures

exhaustive: $(STAMP)
	@$(BIN)/python -m tests.exhaustive --record docs/verification.md

bench: $(STAMP)
	@$(BIN)/finescale bench --all
	@$(BIN)/python -m benchmarks.bench_simulation

smoke: $(STAMP)
	@$(BIN)/finescale compare quantizer-ue5m3-absmax-b4-bf16 quantizer-e8m0-floor-b4-bf16 -o build/smoke

clean:
	rm -rf build
