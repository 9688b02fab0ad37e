# The verbs a team uses. `make help` lists them.

CAMPAIGN ?= examples/vgcc
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# a campaign's site goes to its own build/ folder, unless OUTPUT says otherwise
OUT := $(if $(OUTPUT),--output $(OUTPUT),)

.DEFAULT_GOAL := help
.PHONY: help site new serve archive verify test check lint format bench truth lock screenshot clean

help: ## list the verbs
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'
	@echo "  CAMPAIGN=path/to/folder names the campaign (default: $(CAMPAIGN))"

# exit status 1 of `calbook build` means: built, with errors in the campaign. The site is there, so make goes on.
site: $(VENV)/.ready ## build the site of CAMPAIGN
	@$(BIN)/calbook build $(CAMPAIGN) $(OUT) || [ $$? -eq 1 ]

new: $(VENV)/.ready ## start a campaign in the folder CAMPAIGN
	@$(BIN)/calbook new $(CAMPAIGN)

serve: $(VENV)/.ready ## serve the built site of CAMPAIGN on this machine
	@$(BIN)/calbook serve $(CAMPAIGN) $(OUT)

archive: site ## keep the built site as a report version: LABEL=… AUTHOR=… NOTE=…
	@$(BIN)/calbook archive $(CAMPAIGN) $(OUT) --label "$(LABEL)" --author "$(AUTHOR)" --note "$(NOTE)"

verify: $(VENV)/.ready ## find every byte of the report versions of CAMPAIGN that is not as archived
	@$(BIN)/calbook verify $(CAMPAIGN)

test: $(VENV)/.ready-dev ## run every check and test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n auto --dist loadscope --no-loadscope-reorder --durations 30

check: $(VENV)/.ready-dev ## run the fast checks and tests
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -m "not slow and not browser"

lint: $(VENV)/.ready-dev ## check style and types only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.ready-dev ## put the code in its usual form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.ready-dev ## measure speed against the limit and against peers
	$(BIN)/python -m bench

truth: $(VENV)/.ready-dev ## simulate known truth and write how far the procedures are from it
	$(BIN)/python -m bench.truth

screenshot: $(VENV)/.ready-dev site ## take the README's screenshot anew from the built example
	$(BIN)/python tests/browser/screenshot.py

lock: ## resolve the lock files anew
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --extra node -c requirements.lock pyproject.toml -o requirements-node.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --extra dev --extra bench --extra cluster -c requirements.lock pyproject.toml -o requirements-dev.lock

clean: ## remove the built site (the store, with its history and snapshots, stays)
	rm -rf $(if $(OUTPUT),$(OUTPUT),$(CAMPAIGN)/build)/site

# ── the environment ─────────────────────────────────────────────────────────────────────────────────────

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "calbook needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12 …"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Python's venv module is not complete here; on Debian and Ubuntu: apt install python3-venv"; rm -rf $(VENV); exit 2; }

$(VENV)/.ready: requirements.lock requirements-node.lock package-lock.json | $(VENV)/bin/python
	@echo "installing what calbook needs (a minute or two, once) …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null || true  # where pip was told not to: starting takes half as long
	@command -v npm >/dev/null || $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-node.lock
	@$(BIN)/python -m builder.render.assets install || echo "The site will work with less: plain search, static figures."
	@touch $@

$(VENV)/.ready-dev: requirements-dev.lock $(VENV)/.ready
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null || true
	@touch $@
