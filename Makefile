# Two commands carry the project: `make run` and `make test`. The other targets call the same scripts.
# Needs python3 (>= 3.11), pip, git and make; everything else goes into .venv, which is made when something here changes.

PY     ?= python3
VENV   ?= .venv
HOPS   ?= 3
PORT   ?= 1080
BIN    := $(VENV)/bin
GUESTS := $(patsubst %/setup.cfg,%,$(wildcard extenders/*/setup.cfg))
META   := setup.cfg pyproject.toml $(wildcard extenders/*/setup.cfg extenders/*/pyproject.toml)
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help run test style acceptance bench states clean

help:
	@echo 'make run                a small network here: SOCKS5 on 127.0.0.1:1080 through three gateways (HOPS=1..4, PORT=...);'
	@echo '                        prints what to try and what each gateway knows, Ctrl-C ends everything'
	@echo 'make test               the whole test suite'
	@echo 'make style              ruff and mypy'
	@echo 'make acceptance [NAME]  the long checks of tests/acceptance, all or one; ARGS=... are passed on'
	@echo 'make bench              QuantumGate and its peers side by side; ARGS=... are passed on'
	@echo 'make states             draw docs/spec/states.md again from quantumgate/core/state.py'

run: $(VENV)/ok
	@exec $(BIN)/python -m quantumgate.cli.demo --hops $(HOPS) --port $(PORT) $(ARGS)

test: $(VENV)/ok
	@exec $(BIN)/python .ci/trial.py $(ARGS)

style: $(VENV)/style
	$(BIN)/ruff check .
	$(BIN)/mypy

# `make acceptance NAME`: the words behind `acceptance` are names, not targets.
ifeq (acceptance,$(firstword $(MAKECMDGOALS)))
NAMES := $(wordlist 2,99,$(MAKECMDGOALS))
ifneq (,$(NAMES))
.PHONY: $(NAMES)
$(NAMES): ; @:
endif
endif
acceptance: $(VENV)/ok
	@exec $(BIN)/python -m tests.acceptance $(NAMES) $(ARGS)

bench: $(VENV)/bench
	$(BIN)/python bench/run_all.py --venv $(VENV) $(ARGS)

states: $(VENV)/ok
	$(BIN)/python docs/spec/draw_states.py

# The second half is for Debian without python3-venv: there pip itself can fill an environment that has no pip.
$(VENV)/ok: $(META)
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "QuantumGate needs Python 3.11 or newer: make PY=python3.11")'
	$(PY) -m venv $(VENV) 2>/dev/null || { $(PY) -m venv --clear --without-pip $(VENV) \
	  && $(PY) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check pip; }
	$(PIP) -e '.[test]' $(GUESTS:%=-e './%[test]')
	@touch $@

$(VENV)/style: $(VENV)/ok
	$(PIP) -e '.[test,style]'
	@touch $@

$(VENV)/bench: $(VENV)/ok
	$(PIP) -e '.[test,bench]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info extenders/*/build extenders/*/*.egg-info _trial_temp* .run .mypy_cache .ruff_cache
