#!/usr/bin/env bash
# Fuzzes every registered method with random parameters and data under AddressSanitizer and UndefinedBehaviorSanitizer.
# Usage: tests/fuzz/run.sh [SECONDS [METHOD]]   (default 120 seconds, all methods; CI's run. By hand: tests/fuzz/run.sh 1800)
#
# Exit 0: clean. 1: a case failed; it is kept, and the line to run it again is printed. 77: this machine cannot build the fuzzer, with the reason.
# FQ_FUZZ_BUILD: folder of objects (default build-fuzz). FQ_FUZZ_SEED: of the fuzzer's own choices (default 1; with one seed and no shared machine
# load the cases are the same, with `date +%s` they are new ones). It starts from the cases of tests/fuzz/corpus.txt, which is never written here;
# after a long run by hand: tests/fuzz/corpus.py pack on what `-merge=1` leaves of build-fuzz/found and build-fuzz/seeds.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-120}
build=${FQ_FUZZ_BUILD:-build-fuzz}
clang=${CLANG:-clang-14}

case $seconds in '' | *[!0-9]*) echo "fuzz: expected a number of seconds, found '$seconds'" >&2; exit 2 ;; esac
command -v "$clang" >/dev/null || { echo "fuzz: $clang is not installed (Debian packages clang-14 and libclang-rt-14-dev)"; exit 77; }
probe=$(mktemp -d)
trap 'rm -rf "$probe"' EXIT
printf 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n);\nint LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d && n > 1000000; }\n' >"$probe/p.c"
"$clang" -fsanitize=fuzzer,address,undefined "$probe/p.c" -o "$probe/p" >"$probe/log" 2>&1 ||
    { echo "fuzz: $clang has no fuzzer or sanitizer runtime (Debian package libclang-rt-14-dev): $(tail -n 1 "$probe/log")"; exit 77; }

make --no-print-directory -s -f tests/fuzz/fuzz.mk BUILD="$build" CLANG="$clang" "-j$(nproc)" >"$probe/build" 2>&1 ||
    { echo "fuzz: the fuzzer does not build:"; tail -n 20 "$probe/build"; exit 1; } >&2

# What this run finds worth keeping goes into the build folder, so that a later run goes on from there.
mkdir -p "$build/found" "$build/crashes"
python3 tests/fuzz/corpus.py unpack "$build/seeds" >&2 || exit 1
[ -z "${2:-}" ] || export FQ_FUZZ_METHOD=$2
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1
status=0
"$build/fuzz_methods" "$build/found" "$build/seeds" -max_total_time="$seconds" -max_len=512 -rss_limit_mb=2048 -timeout=60 \
    -seed="${FQ_FUZZ_SEED:-1}" -artifact_prefix="$build/crashes/" -print_final_stats=1 >"$probe/out" 2>&1 || status=$?
if [ "$status" != 0 ]; then
    grep -vE '^#[0-9]+[[:space:]]' "$probe/out" | tail -n 60 >&2
    artifact=$(sed -n 's/.*Test unit written to //p' "$probe/out" | tail -n 1)
    echo "fuzz: a case failed (exit $status); again: ${FQ_FUZZ_METHOD:+FQ_FUZZ_METHOD=$FQ_FUZZ_METHOD }$build/fuzz_methods $artifact" >&2
    exit 1
fi
cases=$(sed -n 's/^stat::number_of_executed_units: *//p' "$probe/out")
echo "fuzz: $cases cases in $seconds s, no report, no miss"
