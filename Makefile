# Two commands: `make chat` and `make test`. Each sets up what it needs first, and goes on from
# where it was interrupted. Settings: PYTHON (of the new environment), TORCH (what pip is told).
VENV   := .venv
PYTHON ?= python3
TORCH  ?= torch
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check install -c constraints.txt

.PHONY: chat test setup clean

chat: $(VENV)/.chat
	@$(BIN)/tinsmith chat

test: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 GOMP_SPINCOUNT=0 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile \
	  --no-loadscope-reorder

setup: $(VENV)/.chat

# .unfinished is there while pip works. Found at the start, pip was killed: a package that was half
# written would pass for installed, so the environment is made anew. What was fetched is in pip's
# cache. torch comes first because TORCH may name its index: make chat TORCH='torch --index-url URL'.
WORK = touch $(VENV)/.unfinished; $(1) || { rm $(VENV)/.unfinished; exit 1; }; rm $(VENV)/.unfinished

$(VENV)/.chat: pyproject.toml constraints.txt $(wildcard $(VENV)/.unfinished)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tinsmith needs Python 3.11 or newer; try: make PYTHON=python3.11")'
	@if [ -e $(VENV)/.unfinished ] || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then $(PYTHON) -m venv --clear $(VENV); fi
	@echo 'Setting up $(VENV). This takes a while.'
	@$(call WORK,$(PIP) $(TORCH) && $(PIP) -e .)
	@touch $@

$(VENV)/.test: $(VENV)/.chat
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["dev"], sep="\n")' > $(VENV)/dev.txt
	@$(call WORK,$(PIP) -r $(VENV)/dev.txt)
	@touch $@

clean:
	rm -rf $(VENV)
