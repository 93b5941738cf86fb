# `make app` opens the app (`ADDRESS=0.0.0.0`: to a class, too), `make test` runs all tests; each builds what it needs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REPLICAS ?= 2
PORT ?= 8501

.PHONY: app serve test check format benchmark

app: $(VENV)/app.done
	$(BIN)/streamlit run streamlit_app.py $(if $(ADDRESS),--server.address $(ADDRESS))

serve: $(VENV)/app.done
	$(BIN)/python -m deploy.serve --replicas $(REPLICAS) --port $(PORT)

test: $(VENV)/dev.done node_modules/npm.done
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: $(VENV)/dev.done node_modules/npm.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/oxlint explorer/components
	$(BIN)/node node_modules/typescript/bin/tsc

format: $(VENV)/dev.done
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: $(VENV)/dev.done
	$(BIN)/python -m benchmarks

# The .done files are written last: what was interrupted is done again.
$(VENV)/python.done:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "$(PYTHON) is no Python 3.11 to 3.13; install one, or name it: make PYTHON=python3.12 app"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || \
		{ echo "$(PYTHON) cannot make environments; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@touch $@

$(VENV)/app.done: requirements.txt pyproject.toml $(VENV)/python.done
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	@touch $@

# Dependency groups need pip 25.1.
$(VENV)/dev.done: requirements.txt pyproject.toml $(VENV)/python.done
	$(BIN)/python -m pip install --disable-pip-version-check "pip==25.3"
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt --group dev
	@touch $@ $(VENV)/app.done

# TypeScript checks the types that the components' JavaScript states in its comments; axe looks at the page in tests.
node_modules/npm.done: package.json package-lock.json $(VENV)/dev.done
	PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --no-audit --no-fund
	@touch $@
