# Two commands: `make chat` and `make test`. Each sets up what it needs first.
VENV   := .venv
PYTHON ?= python3
BIN    := $(VENV)/bin

.PHONY: chat test setup clean

chat: $(VENV)/.chat
	@$(BIN)/tinsmith chat

test: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

setup: $(VENV)/.chat

# torch first and alone: `torch` from a range would fetch gigabytes of CUDA on a machine without a GPU.
$(VENV)/.chat: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tinsmith needs Python 3.11 or newer; try: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.test: $(VENV)/.chat
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt build hypothesis mypy pexpect pytest ruff types-jsonschema types-psutil hatchling editables
	@touch $@

clean:
	rm -rf $(VENV)
