# What a developer and an operator at a desk need. `make help` lists it. In the container there is no make:
# the same commands are `python manage.py ...`.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# Tests start some hundred programs: each would compile all of the code again where bytecode is not to be written.
PYTEST := PYTHONDONTWRITEBYTECODE= $(RUN) -m pytest
MANAGE := doctor session logs backup restore import live-check

.DEFAULT_GOAL := help
.PHONY: help venv run demo pictures test test-newest crash soak kills bench mutants lint audit pins wheels image test-acceptance test-image $(MANAGE)

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18
	@echo 'The operator'"'"'s commands, with their arguments in ARGS="...": $(MANAGE)'

venv: $(VENV)/.dev ## Make .venv with everything in it

# One environment, filled as far as a target needs it: the programs (and the demo), or all that develops them.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	@$(PYTHON) -c 'import ensurepip' 2> /dev/null || tests/packages.sh python3-venv
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/python requirements.txt
$(VENV)/.dev: $(VENV)/bin/python requirements-dev.txt
$(VENV)/.run $(VENV)/.dev:
	@echo 'Installing what $(lastword $^) lists into $(VENV): a minute or less…'
	@$(RUN) -m pip install --quiet --disable-pip-version-check --requirement $(lastword $^)
	@touch $@

node_modules/.installed: package.json package-lock.json
	@command -v npm > /dev/null || tests/packages.sh nodejs npm
	@echo "Installing PayPal's own API descriptions into node_modules…"
	@npm ci --silent
	@touch $@

run: $(VENV)/.run ## Start all programs with the settings in .env
	$(RUN) -m daemon.supervision

demo: $(VENV)/.run ## Open a page with two telephones, a shop behind them, no credentials (ONCE=1: tell it here, then stop)
	$(RUN) -m tests.demo

pictures: venv ## Make README's pictures anew, from the demo (needs chromium)
	tests/setup.sh acceptance
	$(PYTEST) tests/acceptance/test_pictures.py -m acceptance -k 'not small'
	rm -rf docs/images && cp -r build/pictures docs/images

test: venv ## Run the tests, after installing what they need
	tests/setup.sh
	$(PYTEST) -n 4 --dist loadfile --no-loadscope-reorder -m 'not acceptance'

test-acceptance: venv ## Run what needs a browser, every language, other switches, or many examples
	tests/setup.sh acceptance
	$(PYTEST) -n 2 --dist loadfile --no-loadscope-reorder -m acceptance
	$(PYTEST) -n 2 --dist loadfile --hypothesis-profile thorough -m hypothesis $(shell grep -rl '^from tests.examples' tests --include='test_*.py')

test-newest: ## Run the unit tests on the newest Python that is here
	tests/newest.sh

crash: venv node_modules/.installed ## Kill programs at random moments (SEED=n) and look whether anything was lost
	$(RUN) -m tests.crash --seed $(or $(SEED),1) $(ARGS)

soak: venv node_modules/.installed ## Run for an hour under load and watch memory, files and logs
	$(RUN) -m tests.soak --seed $(or $(SEED),1) $(ARGS)

kills: venv node_modules/.installed ## Kill programs and supervisord at 50 random moments under load (SEED=n)
	$(RUN) -m tests.soak kill --seed $(or $(SEED),1) $(ARGS)

bench: venv node_modules/.installed ## Measure, and write build/bench.json
	$(RUN) -m tests.bench $(ARGS)

mutants: venv node_modules/.installed ## Make N small mistakes in the code (SEED=n) and see which of them no test notices
	$(RUN) -m tests.mutants --seed $(or $(SEED),1) -n $(or $(N),200) $(ARGS)

lint: venv ## Check style and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

audit: venv ## Ask the public database for known vulnerabilities of what requirements.txt pins (needs the internet)
	$(RUN) -m venv build/audit && build/audit/bin/python -m pip install --quiet pip-audit==2.10.1
	build/audit/bin/pip-audit --requirement requirements.txt --no-deps --disable-pip

pins: venv ## Pin anew what the .in files ask for (UPGRADE=1: to the newest allowed) and the image's base
	for each in requirements requirements-dev; do \
		$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
			--custom-compile-command 'make pins' $(if $(UPGRADE),--upgrade) $$each.in --output-file $$each.txt || exit; \
	done
	tests/image/pin

wheels: venv ## Ask the registry whether each pin has a wheel for Python 3.11 to 3.14 on x86-64 and ARM
	$(RUN) -m tests.image.wheels

image: ## Build the container image with docker, podman or buildah
	tests/image/build

test-image: venv ## Build the image and try it as a platform would
	tests/setup.sh image
	$(PYTEST) tests/image

$(MANAGE): $(VENV)/.run
	$(RUN) manage.py $@ $(ARGS)
