# Everything runs in .venv, which the first target that needs it makes out of requirements.lock (with hashes).
# Works with GNU make 3.81 (macOS). Needs Python 3.11 or newer and nothing else: no Java, no Docker, no Redis.
#
#   make demo                       the whole system on this machine, live (DEMO_SECONDS=20 ends it by itself)
#   make test                       everything that CI runs but the suites against Redis (PYTEST_ARGS="-k name" for some)
#   make quick                      what needs no server, in under two minutes: checks, then every such test
#   make check                      formatting, lint, types, import contracts
#   make servers                    Apache Kafka and Valkey for work by hand, until Ctrl-C
#   make faults                     nothing lost, nothing twice, under every fault (FAULT=8 SEED=3 SIZE=full JOBS=1)
#   make simulate                   the same over models of Kafka and Redis, by seeds (SEEDS=10000, SEED=17)
#   make model                      every interleaving of the protocol's steps, within bounds; needs rustc (MODEL=big)
#   make bench                      Segue against the null engine (BENCH_ARGS); docs/operations/speed.md names the others
#   make native                     the rules as machine code, 1.6 times as fast: a C compiler, one to three minutes
#   make peers                      the packages of the peers in Python, in an environment of their own (.cache/peers)
#   make lock                       newer versions into the lock files
#   make clean                      remove what was made here (downloads shared by all checkouts stay)

# The first of these that Segue is known to run on; `make demo PYTHON=/path/to/python3` names another one. On 3.14.10 and
# Linux x86_64, what needs no server, the suites of log and store, and the demo were run; not the faults. Every locked
# package has a wheel for it.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null \
	&& echo "$$python" && exit; done; echo python3)

DEMO_SECONDS ?=
DEMO_ARGS ?=
PYTEST_ARGS ?=
# two processes: one of them holds all fault runs, which mostly wait (tests/conftest.py); PARALLEL= runs one
PARALLEL ?= -n 2 --dist loadscope
BENCH_ARGS ?=
FAULT ?=
SEED ?=
SEEDS ?= 500
SIZE ?= ci
JOBS ?=
MINUTES ?=
MODEL ?= mutations holds

BIN := .venv/bin
INSTALLED := .venv/.installed
PREPARED := .venv/.prepared

PEERS := tests/benchmarks/peers/python/requirements
PEERS_INSTALLED := .cache/peers/.installed

UV_VERSION := 0.13.9
LOCK = .cache/lock/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--quiet --custom-compile-command "make lock"
COMPILE = $(LOCK) pyproject.toml requirements.in

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup native demo test quick check servers faults simulate model bench peers lock clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^#   //p' Makefile

$(INSTALLED): requirements.lock pyproject.toml streams/client/pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Segue needs Python 3.11 or newer; $(PYTHON) is `"$(PYTHON)" --version 2>&1 | tail -1`." >&2; \
		echo "Name another one: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Making .venv and installing `grep -c == requirements.lock` packages, once (a JDK among them, 104 MB)"
	@"$(PYTHON)" -m venv --clear .venv || { \
		echo "Python cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install `[ -t 1 ] || echo --quiet` --require-hashes --prefer-binary -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable . --editable streams/client
	@touch $@

$(PREPARED): $(INSTALLED) streams/embedded/jgo.lock.toml
	@echo "Having Apache Kafka and Valkey ready"
	@$(BIN)/python -m streams.embedded prepare
	@touch $@

setup: $(PREPARED)

native: $(INSTALLED)
	@$(BIN)/python deploy/native/build.py

demo: $(PREPARED)
	@$(BIN)/segue demo $(if $(DEMO_SECONDS),--seconds $(DEMO_SECONDS)) $(DEMO_ARGS)

test: check $(PREPARED)
	$(BIN)/pytest $(PARALLEL) $(PYTEST_ARGS)

quick: check
	$(BIN)/pytest --no-servers -n 3 $(PYTEST_ARGS)

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports

servers: $(PREPARED)
	@$(BIN)/python -m streams.embedded

faults: $(PREPARED)
	@$(BIN)/python -m tests.faults --size $(SIZE) $(if $(FAULT),--fault "$(FAULT)") $(if $(SEED),--seed $(SEED)) \
		$(if $(JOBS),--jobs $(JOBS)) $(if $(MINUTES),--minutes $(MINUTES))

simulate: $(INSTALLED)
	@$(BIN)/python -m tests.simulation $(if $(SEED),--first $(SEED) --seeds 1,--seeds $(SEEDS))

model:
	@$(foreach part,$(MODEL),tests/model/check.sh $(part) &&) true

bench: $(PREPARED)
	@[ "$$SEGUE_NATIVE" = 0 ] || $(BIN)/python deploy/native/build.py || echo "So Python runs the rules here: slower"
	@$(BIN)/python -m tests.benchmarks.contest $(BENCH_ARGS)

peers: $(PEERS_INSTALLED)

$(PEERS_INSTALLED): $(PEERS).txt
	@"$(PYTHON)" -m venv --clear .cache/peers
	@.cache/peers/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r $(PEERS).txt
	@touch $@

lock: $(INSTALLED)
	$(BIN)/python -m venv --clear .cache/lock
	.cache/lock/bin/pip install --quiet uv==$(UV_VERSION)
	$(COMPILE) --upgrade --extra embedded --extra dev --output-file requirements.lock
	$(COMPILE) --constraints requirements.lock --output-file requirements-worker.lock
	$(LOCK) --constraints requirements.lock deploy/native/requirements.in --output-file deploy/native/requirements.txt
	$(LOCK) --upgrade $(PEERS).in --output-file $(PEERS).txt
	$(BIN)/python -m streams.embedded lock

clean:
	rm -rf streams/client/build streams/client/*.egg-info .venv .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist *.egg-info
	find rules streams tests -name __pycache__ -prune -exec rm -rf {} +
