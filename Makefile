# 'make demo' and 'make test' are all that a fresh Debian 12 or 13 needs; both begin with 'setup'.

VENV := .venv/bin

.PHONY: help setup demo test torture torture-prompts fuzz check bench pyz lock clean distclean

help:
	@echo "make demo   see a layout being created in a real bench, then leave nothing behind"
	@echo "make test   run every test, against a real Docker engine and real tmux"
	@echo "make torture  five minutes of kills, full disks and stopped containers (SECONDS=, SEED=)"
	@echo "make torture-prompts  10,000 prompts while the worker is killed (COUNT=, SEED=)"
	@echo "make fuzz   five minutes of hostile bytes for every reader, coverage-guided (SECONDS=, SEED=, ONLY=)"
	@echo "make check  style, types, import directions"
	@echo "make bench  measure, against floors and peers"
	@echo "make pyz    agenttower.pyz, the client for benches, in dist/"
	@echo "make setup  what the others begin with: .venv, and system packages where allowed"
	@echo "make lock   resolve requirements.lock and those of bench and fuzz anew"
	@echo "make clean  remove .venv and caches of this tree"
	@echo "make distclean  also the bench images and private engines that are cached for this user"

setup:
	@scripts/bootstrap

demo: setup
	@$(VENV)/agenttower demo

# The tests mostly wait: for programs, containers and deadlines.
test: setup
	$(VENV)/python -m pytest -n $(or $(PROCESSES),3) --dist loadfile --no-loadscope-reorder

torture: setup
	$(VENV)/python -m tests.torture $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

torture-prompts: setup
	$(VENV)/python -m tests.torture.prompts $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED))

fuzz: setup
	@scripts/bootstrap --fuzz
	$(VENV)/python -m tests.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(addprefix --only ,$(ONLY))

check: setup
	$(VENV)/python -m ruff check
	$(VENV)/python -m ruff format --check
	$(VENV)/python -m mypy
	$(VENV)/python -m pytest -q tests/unit/test_import_directions.py

bench: setup
	@scripts/bootstrap --bench
	$(VENV)/python -m benchmarks $(if $(QUICK),--quick) $(NAMES)

pyz: setup
	@mkdir -p dist
	$(VENV)/agenttower client build --output dist/agenttower.pyz

lock:
	scripts/lock

clean:
	rm -rf .venv .fuzz .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf "$${XDG_CACHE_HOME:-$$HOME/.cache}/opensoft/agenttower/engine"
	rm -rf "$${XDG_CACHE_HOME:-$$HOME/.cache}/opensoft/agenttower/images"
