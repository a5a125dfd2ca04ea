# What a developer and an operator at a desk need. `make help` lists it. In the container there is no make:
# the same commands are `python manage.py ...`.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
MANAGE := doctor session backup restore import live-check

.DEFAULT_GOAL := help
.PHONY: help venv run demo test crash soak kills bench lint audit image test-image $(MANAGE)

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14
	@echo 'The operator'"'"'s commands, with their arguments in ARGS="...": $(MANAGE)'

venv: $(VENV)/.installed ## Make .venv with everything in it

$(VENV)/.installed: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	@$(PYTHON) -c 'import ensurepip' 2> /dev/null || tests/packages.sh python3-venv
	@test -x $(VENV)/bin/pip || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

node_modules/.installed: package.json package-lock.json
	@command -v npm > /dev/null || tests/packages.sh nodejs npm
	npm ci --silent
	@touch $@

run: venv ## Start all programs with the settings in .env
	$(RUN) -m daemon.supervision

demo: venv node_modules/.installed ## Show the whole way of a customer, without any credentials (ONCE=1: then stop)
	$(RUN) -m tests.demo

test: venv ## Run all tests, after installing what they need
	tests/setup.sh
	$(RUN) -m pytest -n 3 --dist loadfile

crash: venv node_modules/.installed ## Kill programs at random moments (SEED=n) and look whether anything was lost
	$(RUN) -m tests.crash --seed $(or $(SEED),1) $(ARGS)

soak: venv node_modules/.installed ## Run for an hour under load and watch memory, files and logs
	$(RUN) -m tests.soak --seed $(or $(SEED),1) $(ARGS)

kills: venv node_modules/.installed ## Kill programs and supervisord at 50 random moments under load (SEED=n)
	$(RUN) -m tests.soak kill --seed $(or $(SEED),1) $(ARGS)

bench: venv node_modules/.installed ## Measure, and write build/bench.json
	$(RUN) -m tests.bench $(ARGS)

lint: venv ## Check style and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

audit: venv ## Ask the public database for known vulnerabilities of what requirements.txt pins (needs the internet)
	$(RUN) -m venv build/audit && build/audit/bin/python -m pip install --quiet pip-audit==2.10.1
	build/audit/bin/pip-audit --requirement requirements.txt --no-deps --disable-pip

image: ## Build the container image with docker, podman or buildah
	tests/image/build

test-image: venv ## Build the image and try it as a platform would
	tests/setup.sh image
	$(RUN) -m pytest tests/image

$(MANAGE): venv
	$(RUN) manage.py $@ $(ARGS)
