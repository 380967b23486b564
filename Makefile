# `make` lists the targets. PYTHON=… names the interpreter that .venv is made with.
export PYTHON
PY := .venv/bin/python
# The tests start thousands of processes: they shall find compiled what they import.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(PY) -m pytest
# One test more at once than there are processors: integration tests wait half of their time.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) + 1)
# Added to what `run`, `bench` and the tests are started with.
ARGS ?=

.PHONY: help setup run test test-unit test-long check check-format check-lint check-types check-imports check-page \
	format bench page pyz lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup:  ## make .venv from the lock file and build the page; nothing to do when both are up to date
	@tools/setup.sh

run: setup  ## start Tailrace here and show this checkout's own plan run; Ctrl-C stops everything
	@exec .venv/bin/tailrace up --project . $(ARGS)

test: setup  ## all tests but the long ones, the page's too (ARGS="-k name" and other options of pytest)
	@tools/packages.sh
	@status=0; \
	$(PY) tools/page.py npm test || status=$$?; \
	$(PYTEST) -n $(WORKERS) --dist worksteal -m "not long" $(ARGS) || status=$$?; \
	exit $$status

test-unit: setup  ## the tests of single rooms (of the store also on PostgreSQL, where it is installed)
	@$(PYTEST) -n $(WORKERS) --dist worksteal tests/unit $(ARGS)

test-long: setup  ## the tests that take minutes, and those of properties with examples that were not tried before
	@tools/packages.sh
	@status=0; \
	$(PYTEST) -m long $(ARGS) || status=$$?; \
	$(PYTEST) -n $(WORKERS) --dist worksteal -m "hypothesis and not long" --hypothesis-profile=explore $(ARGS) || status=$$?; \
	exit $$status

check: setup  ## format, lint, types (Python and page) and import contracts
	@$(MAKE) --no-print-directory --keep-going --jobs=2 --output-sync=target \
		check-types check-page check-format check-lint check-imports

check-format:
	@$(PY) -m ruff format --quiet --check --diff

check-lint:
	@$(PY) -m ruff check --quiet

check-types:
	@$(PY) -m pyright

# Its drawing says what broke; it has no word to say when nothing did.
check-imports:
	@contracts=$$(.venv/bin/lint-imports) || { printf '%s\n' "$$contracts"; exit 1; }

check-page:
	@$(PY) tools/page.py npm run --silent check

format: setup  ## write the code the way `make check` wants it
	@$(PY) -m ruff check --fix --quiet || true
	@$(PY) -m ruff format

bench: setup  ## measure, each figure beside its baseline
	@env -u PYTHONDONTWRITEBYTECODE $(PY) -m benchmarks $(ARGS)

page: setup  ## build the web page into web/dist (part of `setup`)

pyz: setup  ## build dist/tailrace-agent.pyz, the agent in one file (ARGS=cp311-linux-x86_64 for one kind of machine)
	@$(PY) tools/pyz.py $(ARGS)

# Without the machine's own settings: an index or a path of this machine must not get into the file.
lock: setup  ## renew requirements.lock from pyproject.toml (ARGS=--upgrade for newer versions of everything)
	@env -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_INDEX -u UV_DEFAULT_INDEX -u UV_FIND_LINKS \
		.venv/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
		--extra server --group dev --output-file requirements.lock $(ARGS) pyproject.toml

clean:  ## remove what these targets made, except Tailrace's data in .tailrace
	rm -rf .venv web/node_modules web/dist dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
