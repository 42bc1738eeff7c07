# Two commands: `make try` shows the bot in your browser, `make test` checks everything. With TORCH=cpu, the first one brings
# PyTorch without CUDA, which on Linux is some gigabytes less.

PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: try test coverage mutants faults lint format messages lock samples clean

try: .venv/try
	$(BIN)/moodstem try

test: .venv/dev lint
	$(BIN)/python -m pytest -n 2

# Lines and branches that the tests reach, in processes of their own as well; then each package's share.
coverage: export COVERAGE_FILE = $(CURDIR)/.coverage
coverage: .venv/dev
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 2
	$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --skip-covered
	@for package in bot core core/audio core/genre core/library core/moods core/pictures core/recommend core/separation jobs jobs/engines \
	    jobs/kinds research; do \
	    printf '%-16s ' $$package; $(BIN)/coverage report --include="$$package/*" | tail -1; done

# Are scoring, queue and questionnaire held by their tests? Each small change to them should make one fail.
mutants: .venv/dev
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/mutmut run --max-children 2
	$(BIN)/mutmut results

# The fault test at length: 1,000 uploads while the bot, its runners and their workers are killed at random.
faults: .venv/dev
	MOODSTEM_TEST_UPLOADS=1000 $(BIN)/python -m pytest -s -n 0 --timeout 7200 tests/bot/test_random_kills.py

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/lint-imports

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Every text that members read, into bot/words/locales/*.po: new ones wait there for their translation.
messages: .venv/dev
	$(BIN)/python -m research.messages

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed and none was found." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(if $(filter cpu,$(TORCH)),$(PIP) install --no-deps --index-url https://download.pytorch.org/whl/cpu $(shell grep ^torch== constraints.txt))

.venv/try: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) install --quiet --constraint constraints.txt --editable '.[try]'
	@touch $@

.venv/dev: $(BIN)/python pyproject.toml research/pyproject.toml constraints.txt
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]' --editable ./research
	@touch $@ .venv/try

# The pins, from an environment in which everything has just passed, and the files of the image by their hashes. torch stays
# without a local label, so that a CPU build, where one is offered, fits as well.
lock: .venv/dev
	$(PIP) freeze --exclude-editable | sed 's/^\(torch==[0-9.]*\)+.*/\1/' > constraints.txt
	$(BIN)/python -m research.image_lock

clean:
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache
