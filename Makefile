# Each target sets up what it needs, in .venv beside this file, and is quick when that is done.
#
#   make demo        run the main job on a made-up retailer and show its result
#   make test        static checks and the whole test suite
#   make test-quick  the tests that take no more than a moment each, in under a minute
#   make lint        the static checks alone
#   make format      bring the code into the form `make lint` asks for
#   make lock        pin the dependencies anew (needs uv)
#   make clean       remove the environment and all caches

# What a user's shell may carry that would change how Python runs or what it finds.
unexport PYTHONOPTIMIZE PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONSAFEPATH VIRTUAL_ENV PIP_USER

BIN := .venv/bin
WORKERS ?= auto

.PHONY: help demo test test-quick lint static format lock clean setup setup-dev

help:
	@sed -n 's/^#   //p' Makefile

demo: setup
	@$(BIN)/crossdock demo

test: setup-dev static
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test-quick: setup-dev
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow and not crash"

lint: setup-dev static

static: setup-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || \
	  { echo "Not formatted as agreed (see above): run 'make format'."; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup-dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock:
	@sh scripts/lock

clean:
	rm -rf .venv .venv.lock .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

setup:
	@sh scripts/setup requirements.lock

setup-dev:
	@sh scripts/setup requirements-dev.lock
