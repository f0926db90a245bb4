# How things are built: one archive per floor, so that a unit test links its own floor and those below it, and nothing above.

BUILD ?= $(if $(SAN),build-san,build)
Q := $(if $(V),,@)

FLOORS := base data measure cache plan judge report verbs
FQ_FLAGS_HASH := $(shell sha256sum mk/flags.mk | cut -c1-16)

CFLAGS_ALL = $(FQ_STD) $(FQ_WARN) $(FQ_OPT) $(if $(SAN),$(FQ_SAN) -DFQ_SANITIZED=1) -I. $(FQ_OMP) $(FQ_PKG_CFLAGS) $(FQ_BLAS_CFLAGS) \
             -DFQ_FLAGS_HASH='"$(FQ_FLAGS_HASH)"' -DFQ_VERSION='"$(FQ_VERSION)"'
LDFLAGS_ALL = $(FQ_OMP) $(if $(SAN),$(FQ_SAN)) -rdynamic -Wl,--as-needed
LIBS_ALL = $(FQ_PKG_LIBS) $(FQ_BLAS_LIBS) $(FQ_LLAMA_LIBS) -ldl -lm -lpthread

# Flags by role: a body's name says what it is.
%_ref.o: FQ_ROLE = $(FQ_REF)
%_avx2.o: FQ_ROLE = $(FQ_AVX2)
%_avx512.o: FQ_ROLE = $(FQ_AVX512)
$(BUILD)/methods/common/%.o: FQ_ROLE = $(FQ_REF)
$(BUILD)/harness/data/model%.o $(BUILD)/harness/data/gguf%.o: FQ_ROLE = $(FQ_LLAMA_CFLAGS)

$(BUILD)/%.o: %.c mk/flags.mk
	$(Q)mkdir -p $(dir $@)
	$(if $(Q),@printf '  CC   %s\n' $<)
	$(Q)$(CC) $(CFLAGS_ALL) $(FQ_ROLE) -MMD -MP -c $< -o $@

define floor_rule
FLOOR_$(1)_SRC := $$(sort $$(wildcard harness/$(1)/*.c))
$$(BUILD)/libfq_$(1).a: $$(FLOOR_$(1)_SRC:%.c=$$(BUILD)/%.o)
	$$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach f,$(FLOORS),$(eval $(call floor_rule,$(f))))

METHOD_DIRS := $(sort $(wildcard methods/*/))
METHOD_SRC := $(sort $(filter-out %_test.c,$(wildcard methods/*/*.c)))
METHOD_TESTS := $(sort $(wildcard methods/*/*_test.c))
$(BUILD)/libfq_methods.a: $(METHOD_SRC:%.c=$(BUILD)/%.o)
	$(Q)rm -f $@ && ar rcs $@ $^
$(BUILD)/methods/registry.o: methods/methods.def

LIBS_base := base
LIBS_data := data base
LIBS_measure := measure data base
LIBS_cache := cache measure data base
LIBS_plan := plan cache measure data base
LIBS_judge := judge plan cache measure data base
LIBS_report := report judge plan cache measure data base
archives = $(foreach l,$(1),$(BUILD)/libfq_$(l).a)

BIN := $(BUILD)/fairquant
$(BIN): $(BUILD)/harness/main.o $(BUILD)/methods/registry.o $(call archives,verbs report judge plan cache measure data base methods)
	$(if $(Q),@printf '  LINK %s\n' $@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(BUILD)/harness/main.o $(BUILD)/methods/registry.o -Wl,--start-group \
	    $(call archives,verbs report judge plan cache measure data base methods) -Wl,--end-group $(LIBS_ALL) -o $@

# Unit tests: tests/unit/FLOOR/NAME_test.c links FLOOR and below. Those of judge and report may also link methods.
define unit_rule
UNIT_$(1) := $$(patsubst tests/unit/$(1)/%.c,$$(BUILD)/tests/$(1)/%,$$(sort $$(wildcard tests/unit/$(1)/*_test.c)))
$$(BUILD)/tests/$(1)/%: $$(BUILD)/tests/unit/$(1)/%.o $$(call archives,$$(LIBS_$(1))) $$(if $$(filter-out base data,$(1)),$$(BUILD)/libfq_methods.a $$(BUILD)/methods/registry.o)
	$$(Q)mkdir -p $$(dir $$@)
	$$(if $$(Q),@printf '  LINK %s\n' $$@)
	$$(Q)$$(CC) $$(LDFLAGS_ALL) $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(LIBS_ALL) $$(FQ_TEST_LIBS) -o $$@
endef
UNIT_FLOORS := base data measure cache plan judge report
$(foreach f,$(UNIT_FLOORS),$(eval $(call unit_rule,$(f))))

# Method tests link the methods and base (streams), nothing of the harness above.
METHOD_TEST_BINS := $(METHOD_TESTS:methods/%.c=$(BUILD)/tests/methods/%)
$(BUILD)/tests/methods/%: $(BUILD)/methods/%.o $(BUILD)/libfq_methods.a $(BUILD)/libfq_base.a
	$(Q)mkdir -p $(dir $@)
	$(if $(Q),@printf '  LINK %s\n' $@)
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(LIBS_ALL) $(FQ_TEST_LIBS) -o $@

# Plug-ins that the audit must catch, and an honest one; built like a user's plug-in: one header, no library.
CHEATS := $(patsubst tests/cheats/%.c,$(BUILD)/cheats/%.so,$(sort $(wildcard tests/cheats/*.c)))
$(BUILD)/cheats/%.so: tests/cheats/%.c harness/method.h mk/flags.mk
	$(Q)mkdir -p $(dir $@)
	$(if $(Q),@printf '  SO   %s\n' $@)
	$(Q)$(CC) $(FQ_STD) $(FQ_WARN) $(FQ_OPT) -I. -fPIC -shared $< -o $@ -lm

UNIT_BINS := $(foreach f,$(UNIT_FLOORS),$(UNIT_$(f))) $(METHOD_TEST_BINS)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
