# Every target makes what it needs: a fresh clone wants Python >= 3.11, git and make, nothing else.
# PYTHON=python3.12 chooses the interpreter for a new .venv; ARGS="--port 3000" goes to the program or to pytest.

SHELL := /bin/sh
.NOTPARALLEL:
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
# The files name every package, so nothing is left to resolve: a release of today cannot break a clone of last year.
PIP_INSTALL := $(PY) -m pip install --quiet --no-input --disable-pip-version-check --no-deps --no-compile --no-warn-script-location
CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11 python
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

# Wrong decisions here cost money, lose a notice or let a stranger in: no branch of these goes untested.
WHOLLY_COVERED := bot/lifecycle.py,bot/transitions.py,bot/outcomes.py,bot/wishes.py,bot/reconciler.py,bot/poller.py,bot/deliveries.py,bot/settlements.py,bot/jobs.py,bot/receivers.py,bot/sinks/guard.py,bot/web/security.py,bot/web/rates.py,bot/web/quotas.py,bot/web/limiter.py,bot/web/remembered.py,storage/store/keys.py

# The same order of sets in all workers: they refuse to run what they do not name alike. Bytecode is kept: rewriting the
# asserts anew takes as long as a tenth of the tests.
PYTEST := env -u PYTHONDONTWRITEBYTECODE PYTHONHASHSEED=0 $(PY) -m pytest -q
# Twice as many workers as cores, since half of what they do is waiting; the files in order, since the long ones come first.
QUICK := $(PYTEST) -n 4 --dist loadfile --no-loadscope-reorder -m "not slow and not soak"

UV := uv
LOCK := $(UV) pip compile --quiet --universal --generate-hashes --no-header

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.run ## the whole service in the terminal, with no account anywhere
	@exec $(PY) -m bot demo $(ARGS)

run: $(VENV)/.run ## the service; reads the environment and .env
	@exec $(PY) -m bot run $(ARGS)

check: lint types contracts test coverage test-slow ## everything that CI runs

lint: $(VENV)/.dev ## ruff: rules and format
	@echo "== lint"
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

types: $(VENV)/.dev ## mypy --strict
	@echo "== types"
	@$(PY) -m mypy

contracts: $(VENV)/.dev ## import-linter: who may import whom
	@echo "== contracts"
	@$(VENV)/bin/lint-imports --no-logo --no-cache

test: $(VENV)/.dev ## the quick tests
	@echo "== test"
	@$(QUICK) $(ARGS)

test-slow: $(VENV)/.dev ## PostgreSQL, browsers, many generated examples, the container's install steps
	@echo "== test-slow"
	@EXAMPLES=150 $(PYTEST) -n 2 -m "hypothesis and not slow and not soak" tests
	@$(PYTEST) -m slow --override-ini=faulthandler_timeout=480 $(ARGS)

test-soak: $(VENV)/.dev ## the service end to end by every fault, and killed at random (some ten minutes)
	@echo "== test-soak"
	@$(PYTEST) -m soak --override-ini=faulthandler_timeout=480 $(ARGS)

# A quarter of a second of a core for each seed. What fails says how to run it once more.
simulate: $(VENV)/.dev ## seeded runs of the service among faults, in one process: SEEDS=10000 FROM=0
	@echo "== simulate"
	@PYTHONHASHSEED=0 $(PY) -m tests.simulation --seeds $(or $(SEEDS),300) --from $(or $(FROM),0) $(ARGS)

crash: $(VENV)/.dev ## killed at every point, by every fault of Novita's, on every database (half an hour or more)
	@echo "== crash"
	@env -u PYTHONDONTWRITEBYTECODE $(PY) -m tests.crash $(ARGS)

MINUTES := 60
soak: $(VENV)/.dev ## steady traffic with restarts for MINUTES=60: nothing is lost, nothing grows
	@$(PY) -m bench.soak --minutes $(MINUTES) $(ARGS)

# In process only: what a service of its own does, nobody counts. Apart from `test`, since counting takes as long again.
coverage: $(VENV)/.dev ## branch coverage of the quick tests
	@echo "== coverage"
	@rm -f .coverage .coverage.*
	@$(QUICK) --ignore tests/e2e --ignore tests/crash \
		--cov --cov-report= --cov-fail-under=0 $(ARGS)
	@$(PY) -m coverage report
	@$(PY) -m coverage report --include="$(WHOLLY_COVERED)" --fail-under=100 --precision=2

screenshots: $(VENV)/.dev ## the pictures in docs/, taken of the demo (needs Chromium)
	@$(PY) tests/browser/screenshots.py

format: $(VENV)/.dev ## rewrite as ruff wants it
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

lock: ## newest allowed versions into the requirements files (needs uv)
	@rm -f requirements.txt requirements-dev.txt requirements-build.txt
	@$(LOCK) pyproject.toml --output-file requirements.txt
	@$(LOCK) pyproject.toml --group dev --constraint requirements.txt --output-file requirements-dev.txt
	@$(LOCK) --group build --output-file requirements-build.txt

clean: ## remove everything that was made, the database in data/ excepted
	@rm -rf $(VENV) build *.egg-info .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find bot storage tests -name __pycache__ -type d -prune -exec rm -rf {} +

# A link to an interpreter that has gone counts as missing, so an upgrade of the system makes a new one.
$(PY):
	@python="$(PYTHON)"; \
	for candidate in $(CANDIDATES); do \
		[ -z "$$python" ] || break; \
		"$$candidate" -c '$(NEW_ENOUGH)' 2>/dev/null && python="$$candidate"; \
	done; \
	if [ -z "$$python" ] || ! "$$python" -c '$(NEW_ENOUGH)'; then \
		echo "Python 3.11 or newer is needed; found: $$("$${python:-python3}" --version 2>/dev/null || echo none)." >&2; \
		echo "Name one with: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; \
		exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$python" --version) ..."; \
	rm -rf $(VENV); \
	"$$python" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.run: requirements.txt requirements-build.txt pyproject.toml | $(PY)
	@echo "Installing $$(grep -c == requirements.txt) pinned packages (a minute or two, once) ..."
	@$(PIP_INSTALL) --require-hashes -r requirements.txt -r requirements-build.txt
	@$(MAKE) --no-print-directory own-package
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements-build.txt pyproject.toml | $(PY)
	@echo "Installing $$(grep -c == requirements-dev.txt) pinned packages (a minute or two, once) ..."
	@$(PIP_INSTALL) --require-hashes -r requirements-dev.txt -r requirements-build.txt
	@$(MAKE) --no-print-directory own-package
	@touch $@ $(VENV)/.run

# Without isolation pip uses the pinned setuptools instead of fetching one. Compiled at once on all cores, and also
# where PYTHONDONTWRITEBYTECODE is set: the first start would otherwise parse a hundred megabytes of source.
own-package:
	@$(PIP_INSTALL) --no-build-isolation --editable .
	@echo "Compiling ..."
	@env -u PYTHONDONTWRITEBYTECODE $(PY) -m compileall -qq -j 0 $(VENV)/lib bot storage || true

.PHONY: help demo run check lint types contracts test test-slow test-soak crash simulate soak coverage screenshots format lock clean own-package
