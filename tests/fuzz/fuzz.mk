# Builds the fuzzer of all methods with clang: AddressSanitizer, UndefinedBehaviorSanitizer and libFuzzer's coverage in every method.
# A makefile of its own, because the project's compiler is gcc and mk/rules.mk knows no second one; flags come from mk/flags.mk all the same.
# Run from the root of the tree: make -f tests/fuzz/fuzz.mk BUILD=build-fuzz

include mk/flags.mk

CLANG ?= clang-14
BUILD ?= build-fuzz
SANITIZE := -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all -fno-omit-frame-pointer
# O2: the fuzzer lives by the number of cases. The rest as the project builds.
FLAGS := $(FQ_STD) $(FQ_WARN) -O2 -g -ffp-contract=off -fno-math-errno -I.
# What clang calls the flags that keep reference bodies scalar.
SCALAR := -fno-vectorize -fno-slp-vectorize

# Comparisons inside kernels are of floats and loop counters, from which the fuzzer learns nothing; watching them costs two thirds of the time.
COVER := -fsanitize=fuzzer-no-link -fno-sanitize-coverage=trace-cmp

SOURCES := tests/fuzz/fuzz_methods.c tests/fuzz/cases.c methods/registry.c harness/base/error.c harness/base/random.c harness/base/half.c \
           harness/base/sha256.c harness/base/words.c harness/measure/params.c \
           $(sort $(filter-out %_test.c %_avx2.c %_avx512.c,$(wildcard methods/*/*.c)))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)

$(BUILD)/fuzz_methods: $(OBJECTS)
	@printf '  LINK %s\n' $@
	@$(CLANG) -fsanitize=fuzzer $(SANITIZE) $^ -lnettle -lm -o $@

$(BUILD)/methods/registry.o: methods/methods.def

$(BUILD)/%.o: %.c mk/flags.mk tests/fuzz/fuzz.mk
	@mkdir -p $(dir $@)
	@printf '  CLANG %s\n' $<
	@$(CLANG) $(FLAGS) $(SCALAR) $(COVER) $(SANITIZE) -MMD -MP -c $< -o $@

-include $(OBJECTS:.o=.d)
