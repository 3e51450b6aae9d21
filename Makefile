# Everything works from a clone with Python 3.11 and nothing else installed.
PYTHON ?= python3
BIN := .venv/bin
export OMP_NUM_THREADS ?= 1
export HF_HUB_OFFLINE ?= 1

.PHONY: help demo tour studio test check coverage bench lock clean

help:  ## Show this list.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

.venv/core: lock/core.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r lock/core.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

.venv/test: .venv/core lock/test.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r lock/test.txt
	@touch $@

demo: .venv/core  ## Ask the packaged street video its first question (light core, no torch).
	$(BIN)/suffice demo

tour: .venv/test  ## The whole loop on what ships; leaves out/tour/index.html.
	$(BIN)/suffice tour

studio: .venv/test  ## The studio, over a sample project, on http://127.0.0.1:8321.
	mkdir -p out/studio && cp -n src/suffice/assets/pedestrians.mp4 out/studio/
	$(BIN)/suffice serve --root out/studio

test: .venv/test  ## Run the whole test suite on two cores.
	$(BIN)/python -m pytest -n 2 --dist worksteal -q

check: .venv/test  ## Lint, format, types, layering.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

coverage: .venv/test  ## The long statistical runs behind every printed guarantee; run again, it goes on where it was.
	$(BIN)/python -m pytest -n 2 --dist worksteal -q -m coverage --resume out/coverage tests/statistical
	$(BIN)/python -m pytest -n 2 --dist worksteal -q -m coverage tests/unit/enough

bench: .venv/test  ## Every benchmark, ours and the other in one run; writes bench/results.
	for file in bench/[a-z]*.py; do $(BIN)/python $$file || exit 1; done

lock:  ## Resolve the lock files anew.
	$(PYTHON) scripts/lock.py

clean:  ## Remove what make made.
	rm -rf .venv out
