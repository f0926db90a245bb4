# fairquant: verbs only. Flags and why they are there: mk/flags.mk. How things are built: mk/rules.mk.

FQ_VERSION := 0.1.0
PREFIX ?= /usr/local
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

include mk/flags.mk mk/detect.mk mk/rules.mk

.PHONY: help setup setup-test setup-check models all unit test check valgrind smoke peers fuzz cheats reproduce audit report format install clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: ## Debian packages, libllama, the default model and corpus; does nothing when all is there (WikiText-2: scripts/setup.sh wikitext)
	$(Q)scripts/setup.sh

models: ## fetch every model of datasets/manifest.yaml (2 GB); one of them: scripts/setup.sh NAME
	$(Q)scripts/setup.sh models

all: $(BIN) ## build build/fairquant

unit: $(UNIT_BINS) ## build the unit tests

# ---- tests and checks ----

test: setup-test ## everything that must hold: unit, conformance, command line, cheats, fuzzer, all under ASan and UBSan
	$(Q)$(MAKE) --no-print-directory all
	$(Q)$(MAKE) --no-print-directory SAN=1 all unit cheats
	$(Q)$(MAKE) --no-print-directory cheats
	$(Q)tests/run.sh

check: setup-check ## form and structure: layering, format, clang-tidy, cppcheck, file length, valgrind over the smoke sweep
	$(Q)scripts/check_style.sh
	$(Q)$(MAKE) --no-print-directory all
	$(Q)scripts/check_layers.sh $(BUILD)
	$(Q)FQ_LLAMA_CFLAGS='$(FQ_LLAMA_CFLAGS)' scripts/check_static.sh '$(FQ_STD) -I. $(FQ_OMP) $(FQ_PKG_CFLAGS) $(FQ_BLAS_CFLAGS)'
	$(Q)$(MAKE) --no-print-directory valgrind

setup-test:
	$(Q)scripts/setup.sh test

setup-check:
	$(Q)scripts/setup.sh check

valgrind: all ## valgrind (memcheck) over the smoke sweep
	$(Q)tests/valgrind.sh $(BIN)

smoke: all ## the smallest sweep through every floor, in seconds
	$(Q)tests/smoke.sh $(BIN)

peers: all ## compare our methods with their authors' code, where that is installed outside the tree
	$(Q)tests/peers/run.sh $(BUILD)

fuzz: ## every method with random parameters and data under libFuzzer, FUZZ_SECONDS (120)
	$(Q)tests/fuzz/run.sh $(or $(FUZZ_SECONDS),120)

cheats: $(CHEATS) ## plug-ins that the audit must catch

# ---- the product ----

MACHINE ?= $(shell scripts/machine_name.sh)
OUT := results/$(MACHINE)
KV := $(or $(FQ_DATA),datasets/files)/smollm2-135m-jargon.h5

reproduce: setup ## from nothing to results/<machine>/report/: capture, run, audit, judge, report (about half an hour)
	$(Q)$(MAKE) --no-print-directory all
	$(Q)scripts/reproduce.sh $(BIN) configs/reproduce.yaml $(OUT)

audit: all ## audit the last reproduce run
	$(Q)$(BIN) audit $(OUT)/raw/reproduce.h5

report: all ## make the report of the last reproduce run again
	$(Q)$(BIN) report $(OUT)/raw/reproduce.h5 --out $(OUT)/report

format: ## clang-format 14 over every source
	$(Q)git ls-files '*.c' '*.h' '*.cu' | xargs clang-format-14 -i

install: all ## program, libllama, header, configurations and plot scripts under PREFIX (DESTDIR is respected)
	$(Q)install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include/harness $(DESTDIR)$(PREFIX)/share/fairquant/datasets
	$(Q)install -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin/fairquant
	$(Q)install -m 644 harness/method.h $(DESTDIR)$(PREFIX)/include/harness/
	$(Q)cp -r configs plots docs $(DESTDIR)$(PREFIX)/share/fairquant/
	$(Q)install -m 644 datasets/manifest.yaml $(DESTDIR)$(PREFIX)/share/fairquant/datasets/
ifneq ($(wildcard $(FQ_LLAMA_DIR)/lib/libllama.so),)
	$(Q)install -d $(DESTDIR)$(PREFIX)/lib/fairquant
	$(Q)cp -P $(FQ_LLAMA_DIR)/lib/libllama*.so* $(FQ_LLAMA_DIR)/lib/libggml*.so* $(DESTDIR)$(PREFIX)/lib/fairquant/
	$(Q)install -m 644 $(FQ_LLAMA_DIR)/LICENSE $(DESTDIR)$(PREFIX)/lib/fairquant/LICENSE.llama.cpp
endif

clean: ## remove what was built (not what was fetched)
	$(Q)rm -rf build build-san build-fuzz
