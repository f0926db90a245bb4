#!/usr/bin/env bash
# Layering, by includes and by symbols. base <- data <- measure <- cache <- plan <- judge <- report <- verbs <- main.
# Methods include harness/method.h and methods/common, nothing else of the harness and no other method; the harness includes no method. Method objects
# call no allocator, thread, clock or I/O, and own no writable data. Usage: check_layers.sh BUILD (a built tree: its archives are read with nm).
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
build=${1:?the build folder}
floors="base data measure cache plan judge report verbs"
bad=0
complain() { printf '%s\n' "$1" >&2; bad=1; }

# ---- includes ----
rank=0
declare -A rank_of
for f in $floors; do rank_of[$f]=$((rank++)); done
while IFS=: read -r file include; do
    own=$(cut -d/ -f2 <<<"$file")
    [ "$file" = harness/verbs.h ] && own=verbs
    [ "$file" = harness/method.h ] && complain "$file includes $include: the contract stands alone"
    target=${include#\"}; target=${target%\"*}
    case $target in
    harness/method.h) continue ;;
    harness/verbs.h) [[ $file == harness/verbs/* || $file == harness/main.c ]] || complain "$file includes $target: only verbs and main do" ;;
    methods/*) [[ $file == harness/main.c && $target == methods/registry.h ]] || complain "$file includes $target: the harness knows no method by name" ;;
    harness/*/*)
        floor=$(cut -d/ -f2 <<<"$target")
        [[ $file == harness/main.c ]] && continue
        [ "${rank_of[$floor]}" -le "${rank_of[$own]}" ] || complain "$file includes $target: $own is below $floor" ;;
    *) complain "$file includes \"$target\": name it from the root of the project" ;;
    esac
done < <(grep -rnoE '^#include "[^"]+"' harness --include='*.c' --include='*.h' | sed -E 's/:[0-9]+:#include /:/')

while IFS=: read -r file include; do
    own=$(cut -d/ -f2 <<<"$file")
    target=${include#\"}; target=${target%\"*}
    case $target in
    harness/method.h | methods/common/*) ;;
    "methods/$own/"*) ;;
    methods/registry.h | methods/methods.def) [[ $file == methods/registry.c ]] || complain "$file includes $target: only the registry does" ;;
    harness/base/random.h | tests/support/*) [[ $file == *_test.c ]] || complain "$file includes $target: methods include harness/method.h only" ;;
    *) complain "$file includes $target: methods include harness/method.h, methods/common and their own folder" ;;
    esac
done < <(grep -rnoE '^#include "[^"]+"' methods --include='*.c' --include='*.h' | sed -E 's/:[0-9]+:#include /:/')

# ---- symbols ----
below=""
for f in $floors; do
    below="$below $build/libfq_$f.a"
    [ -f "$build/libfq_$f.a" ] || { complain "no $build/libfq_$f.a: build first"; continue; }
    # shellcheck disable=SC2086
    missing=$(comm -23 <(nm -u "$build/libfq_$f.a" 2>/dev/null | awk '$2 ~ /^fq_/ {print $2}' | sort -u) \
        <(nm --defined-only $below 2>/dev/null | awk 'NF == 3 {print $3}' | sort -u))
    [ -z "$missing" ] || complain "floor $f calls symbols of a floor above it: $(tr '\n' ' ' <<<"$missing")"
done

# Methods: what they may import. Memory and string functions of the compiler, and mathematics.
allowed='^(mem(cpy|set|move|cmp)|str(cmp|ncmp|len)|snprintf|__(snprintf|memcpy|memset|memmove)_chk|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|qsort|a?(sin|cos|tan)h?f?|atan2f?|exp(2|m1)?f?|log(2|10|1p)?f?|powf?|sqrtf?|fabsf?|floorf?|ceilf?|roundf?|rintf?|nearbyintf?|lrintf?|lroundf?|llrintf?|truncf?|fm(ax|in|od)f?|fmaf?|frexpf?|ldexpf?|scalbnf?|copysignf?|hypotf?|cbrtf?|sincosf?|erfc?f?|[lt]gammaf?|lgamma_r|__(ubsan|asan|san)_.*|fq_.*)$'
# methods/common/method_run.c is the driver that known answers are computed with: it stands outside every kernel and is the one object that allocates.
objects=$(find "$build/methods" -name '*.o' ! -name '*_test.o' ! -name registry.o ! -path '*/common/method_run.o')
# shellcheck disable=SC2086
foreign=$(comm -23 <(nm -u $objects | awk 'NF == 2 && $1 == "U" {print $2}' | sort -u) \
    <(nm --defined-only "$build/libfq_methods.a" 2>/dev/null | awk 'NF == 3 {print $3}' | sort -u) | grep -vE "$allowed" || true)
[ -z "$foreign" ] || complain "methods import what a kernel must not call: $(tr '\n' ' ' <<<"$foreign")"
own_fq=$(comm -23 <(nm -u "$build/libfq_methods.a" 2>/dev/null | awk '$2 ~ /^fq_/ {print $2}' | sort -u) \
    <(nm --defined-only "$build/libfq_methods.a" 2>/dev/null | awk 'NF == 3 {print $3}' | sort -u))
[ -z "$own_fq" ] || complain "methods call the harness: $(tr '\n' ' ' <<<"$own_fq")"
writable=$(size -A "$build/libfq_methods.a" 2>/dev/null | awk '/:$|ex / {o = $1} ($1 == ".data" || $1 == ".bss") && $2 > 0 {print o, $1, $2}')
[ -n "${FQ_SANITIZED:-}" ] || [ -z "$writable" ] || complain "methods own writable data, a channel beside the codes: $writable"

# No method calls another: each directory's objects may use methods/common and themselves.
for dir in methods/*/; do
    own=$(basename "$dir")
    [ "$own" = common ] && continue
    objects=$(find "$build/methods/$own" -name '*.o' ! -name '*_test.o' 2>/dev/null)
    [ -n "$objects" ] || continue
    # shellcheck disable=SC2086
    across=$(comm -23 <(nm -u $objects | awk '$2 ~ /^fq_/ {print $2}' | sort -u) \
        <(nm --defined-only $objects "$build"/methods/common/*.o | awk 'NF == 3 {print $3}' | sort -u))
    [ -z "$across" ] || complain "method $own calls symbols of another method: $(tr '\n' ' ' <<<"$across")"
done

[ "$bad" = 0 ] && echo "layers: includes and symbols respect the floors"
exit "$bad"
