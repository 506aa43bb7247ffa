# Two environments: .venv holds the `develop` profile, the checks and the tests; .venv-bench is installed as a user installs
# it, from wheels of the `release` profile, beside the peers that the benchmarks measure against.
PYTHON ?= python3
CASES ?=
SIZE ?= small
RUST := Cargo.toml Cargo.lock engine_core/Cargo.toml $(shell find engine_core/src -name '*.rs')
SERVER := $(shell find server/src -name '*.py')
OURS := $(shell find clients/python/src tui/src -name '*.py')
INSTALL := bin/pip install --quiet --disable-pip-version-check
LOCKED := --require-hashes --only-binary :all:
SOURCE := --require-hashes --no-deps --no-build-isolation -r requirements-source.txt
BUILD := --no-deps --no-build-isolation
LOCK := uv pip compile --quiet --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

.PHONY: develop release proto accept check test test-rust test-python bench demo pictures faults fuzz lock clean
.DEFAULT_GOAL := develop

develop: .make/develop  # everything that development needs, built quickly
release: .make/release  # the same as shipped, with the benchmarks' peers

proto: .make/tools  # generated messages of every language, from proto/, and the blocking client, from the asynchronous one
	.venv/bin/python .ci/proto.py
	.venv/bin/python .ci/blocking.py

accept: .make/tools  # today's contract becomes the one that later ones must not break
	.venv/bin/python .ci/proto.py --accept

check: .make/develop  # format, lint, types, import contracts, contract, generated code, hygiene
	.ci/check

test: test-rust test-python  # all tests

test-rust:
	cargo test --locked --profile develop --workspace

test-python: .make/develop
	.venv/bin/python -m pytest

bench: .make/release  # answers and speed beside the peers': make bench CASES="GROUP ..." SIZE=small|full
	.venv-bench/bin/python -m bench --size $(SIZE) $(CASES)

demo: .make/develop  # a year of flights and weather replayed, five tables, and the dashboard on a terminal
	.venv/bin/marigram demo

pictures: .make/develop  # docs/images: the terminal as its tests see it
	.venv/bin/python -m tests.tui.pictures

faults: .make/develop .make/release  # storage and processes, broken on purpose
	MARIGRAM_FAULTS=full .venv/bin/python -m pytest -s -m fault
	MARIGRAM_FAULTS=full MARIGRAM_FAULTS_PYTHON=.venv-bench/bin/python .venv/bin/python -m pytest -s tests/faults/test_bit_flips.py
	STORE_LIFE_ROUNDS=20000 cargo test --locked --profile develop --test store_life
	MODEL_SEQUENCES=20000 TMPDIR=/dev/shm cargo test --locked --profile develop --test model

fuzz: .make/develop  # long: Rust tests with fuzz in their names, decoders in Rust beside Python, the engine beside DuckDB
	PROPTEST_CASES=100000 cargo test --locked --profile develop --workspace fuzz -- --include-ignored
	MARIGRAM_FUZZ_CASES=2000000 MARIGRAM_FUZZ_SEED=0 .venv/bin/python -m pytest -s tests/wire
	MARIGRAM_DIFFERENTIAL_CASES=20000 .venv/bin/python -m pytest -s tests/differential

lock: .make/tools  # the newest versions that the .in files allow
	.venv/bin/$(LOCK) $(patsubst %,--no-emit-package %,marigram marigram-client marigram-tui) requirements.in -o requirements.txt
	.venv/bin/$(LOCK) --no-deps requirements-source.in -o requirements-source.txt
	.venv/bin/$(LOCK) bench/requirements.in -o bench/requirements.txt

clean:
	rm -rf .make .venv .venv-bench target

# Stamps: what was installed last. Each is older than what it is made of only when there is something to do.
.venv/bin/python .venv-bench/bin/python:
	$(PYTHON) -m venv $(@:/bin/python=)

.make/tools: requirements.txt requirements-source.txt | .venv/bin/python
	.venv/$(INSTALL) $(LOCKED) -r requirements.txt
	.venv/$(INSTALL) $(SOURCE)
	@mkdir -p .make && touch $@

.make/editables: .make/tools clients/python/pyproject.toml tui/pyproject.toml
	.venv/$(INSTALL) $(BUILD) -e clients/python -e tui
	@touch $@

.make/develop: .make/editables pyproject.toml $(RUST)
	PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/$(INSTALL) $(BUILD) -e .
	@touch $@

.make/peers: requirements.txt requirements-source.txt bench/requirements.txt | .venv-bench/bin/python
	.venv-bench/$(INSTALL) $(LOCKED) -r requirements.txt -r bench/requirements.txt
	.venv-bench/$(INSTALL) $(SOURCE)
	@mkdir -p .make && touch $@

.make/release: .make/peers pyproject.toml $(RUST) $(SERVER) clients/python/pyproject.toml tui/pyproject.toml $(OURS)
	PATH="$(CURDIR)/.venv-bench/bin:$$PATH" .venv-bench/$(INSTALL) $(BUILD) --force-reinstall . ./clients/python ./tui
	@touch $@
