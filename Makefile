# fairquant: verbs only. Flags and why they are there: mk/flags.mk. How things are built: mk/rules.mk.

FQ_VERSION := 0.1.0
PREFIX ?= /usr/local
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

include mk/flags.mk mk/detect.mk mk/rules.mk

.PHONY: help setup all unit test check smoke reproduce audit report format clean install

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: ## Debian packages, libllama, the default model and corpora; does nothing when all is there
	$(Q)scripts/setup.sh

all: $(BIN) ## build build/fairquant

unit: $(UNIT_BINS) ## build the unit tests
