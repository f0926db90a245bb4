# The only compiler flags of the project. The SHA-256 of this file goes into every result as flags_hash, so two runs built differently cannot be merged
# into one comparison. Each flag says why it is here.

# The language, and Linux interfaces (CPU affinity, /proc, argp) behind it.
FQ_STD := -std=c11 -D_GNU_SOURCE

# Warnings are errors: in a referee every silent conversion is a wrong number that waits.
FQ_WARN := -Wall -Wextra -Wconversion -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Werror

# One optimisation level for all contestants. No fast-math and no -march=native: results must not depend on where the binary was built.
# Contraction is off, so that a*b+c rounds twice everywhere, with or without FMA units.
FQ_OPT := -O3 -ffp-contract=off -fno-math-errno -g

# Reference bodies are scalar by definition: no auto-vectorisation, so that "ref" is the same arithmetic on every machine.
FQ_REF := -fno-tree-vectorize -fno-tree-slp-vectorize

# ISA files add their instruction set and nothing else; each guards itself with #error.
FQ_AVX2 := -mavx2 -mfma -mf16c -mbmi2
FQ_AVX512 := $(FQ_AVX2) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni

FQ_OMP := -fopenmp

# Sanitizers, for the tests (make SAN=1). Recovery is off: the first report fails the test.
FQ_SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
