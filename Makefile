# Everything a developer types. `make demo` and `make test` need nothing but Python 3.11 or newer (and Go for the collector).
PYTHON ?= python3
VENV   := .cache/venv
BIN    := $(VENV)/bin
PORT   ?= 5000
SCALE  ?= 20

.PHONY: demo test proof check lint types layers format docs setup lock bench pictures collector clean

demo:            ## The chatbot with everything it needs, on http://127.0.0.1:$(PORT)
	$(PYTHON) scripts/demo.py --port $(PORT)

test: setup collector  ## Every test, at small sizes, against the built wheel
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

proof: setup collector ## The same tests at full size; figures go to docs/proofs.md
	bash scripts/system-packages.sh proof
	OTEL_CHATBOT_TEST_SCALE=$(SCALE) OTEL_CHATBOT_PROOFS=docs/proofs.md $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --timeout 3600

check: lint types layers

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	shellcheck scripts/*.sh .ci/run

types: setup
	$(BIN)/mypy
	$(BIN)/python scripts/page_types.py

layers: setup
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup      ## The documentation, with warnings as errors, into .cache/site
	$(BIN)/python scripts/docs.py

bench: setup     ## Every figure of docs/performance.md, beside its peers in one run
	$(BIN)/python benchmarks/run.py

pictures: setup  ## The pictures of README and docs, of a demo that it starts
	$(BIN)/python scripts/screenshots.py

collector:       ## The collector with exactly the components of collector/config.yaml; needs Go
	$(PYTHON) scripts/build_collector.py

lock: setup      ## Renew requirements/*.txt from pyproject.toml
	$(BIN)/python scripts/lock.py

# The wheel is made anew each time, so that the tests import what users install.
setup: $(VENV)/.installed
	@bash scripts/system-packages.sh
	@rm -rf .cache/dist && $(BIN)/python -m build --wheel --no-isolation --outdir .cache/dist . >.cache/build.log 2>&1 || { cat .cache/build.log; exit 1; }
	@$(BIN)/pip install --quiet --no-deps --force-reinstall .cache/dist/*.whl
	@$(BIN)/python scripts/docs.py --install

$(VENV)/.installed: requirements/test.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=...")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --no-deps --require-hashes -r requirements/test.txt
	touch $@

clean:
	rm -rf .cache .demo dist build
