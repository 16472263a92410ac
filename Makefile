# Two commands: `make serve` runs the server, `make test` runs every test.
# Both set up what they need, in .venv.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
# Tests at a time: most of them wait most of the time.
WORKERS ?= 3
# Of fuzzing (by default 3, for each target; TARGETS names some), or of a soak (20).
MINUTES ?=
TARGETS ?=
# Another address needs WHIPBIRD_TOKEN_FILE, WHIPBIRD_RIGHTS_FILE or WHIPBIRD_OPEN=true.
HOST ?= 127.0.0.1
PORT ?= 8080
# Whether the compiled packet path can be built here.
RUST := $(shell command -v cc > /dev/null && cargo --version 2> /dev/null \
	| awk '{ split($$2, v, "."); if (v[1] > 1 || v[2] >= 83) print "yes" }')

.PHONY: setup browser prepare serve test fuzz native check format bench soak conformance networks \
	screenshots lock clean

setup: .venv/ready

# The package and its commands: all that serving needs.
.venv/package: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Whipbird needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	@echo "Setting up .venv (only once; it takes about a quarter of a minute) ..."
	@$(PYTHON) -m venv .venv
	@$(PIP) -e .
	@touch $@

# ... and what the tests, checks and benchmarks need beside it.
.venv/ready: .venv/package
	@echo "Adding what the tests and checks need ..."
	@$(PIP) -e '.[test,dev]'
	@touch $@

# The compiled packet path: optional, needs Rust 1.83 or newer and a C compiler, on Linux.
# The first time takes about a minute of one core.
native: .venv/native

.venv/native: .venv/package native/Cargo.toml native/Cargo.lock native/pyproject.toml \
		$(wildcard native/src/*.rs)
	@test -n "$(RUST)" || { echo "This needs Rust 1.83 or newer, and a C compiler."; exit 1; }
	@echo "Building the compiled packet path ..."
	@begin=$$(date +%s) && $(PIP) ./native && \
		echo "... which took $$(($$(date +%s) - begin)) s."
	@touch $@

browser: setup
	$(BIN)/python tests/e2e/browser.py --install

serve: .venv/package
	$(BIN)/whipbird serve --host $(HOST) --port $(PORT)

# What the tests need. Where there is a Rust toolchain, the compiled packet path, too.
prepare: browser $(if $(RUST),native)

test: prepare
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile

# Finds go to .fuzz; see tests/fuzz.
fuzz: setup
	@$(PIP) -e '.[fuzz]'
	$(BIN)/python -m tests.fuzz --minutes $(or $(MINUTES),3) $(TARGETS)

check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@if test -n "$(RUST)" && cargo fmt --version && cargo clippy --version; then cd native && cargo fmt --check \
		&& cargo clippy --release --locked --quiet -- -D warnings; \
		else echo "The compiled packet path is not checked: there is no Rust."; fi

format: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup
	$(BIN)/python -m bench

# A server under mixed load and floods; fails when anything grows or gets lost.
soak: setup
	$(BIN)/python -m bench --soak --minutes $(or $(MINUTES),20)

# Writes docs/conformance.md; takes a minute.
conformance: setup
	$(BIN)/python -m tests.conformance.page

# Writes docs/networks.md; needs root, iproute2 and nftables, and takes two minutes.
networks: browser
	$(BIN)/python -m tests.networks.page

screenshots: browser
	$(BIN)/python -m tests.e2e.screenshots

# Writes deploy/requirements.txt: the newest versions that pyproject.toml allows.
lock: setup
	$(BIN)/uv pip compile pyproject.toml --output-file deploy/requirements.txt \
		--universal --python-version 3.11 --generate-hashes --upgrade --quiet \
		--custom-compile-command "make lock"

clean:
	rm -rf .venv native/target build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .fuzz
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
