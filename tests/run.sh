#!/usr/bin/env bash
# Runs every test and closes with one line, "N passed, N failed". Programs under build-san carry ASan and UBSan: their first report fails the test.
# Usage: tests/run.sh [PATTERN]: only tests whose name matches.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
export FQ_HOME=$PWD
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
passed=0 failed=0 skipped=0
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
pattern=${1:-.}

one() { # name, command...
    local name=$1 begin status
    shift
    grep -qE "$pattern" <<<"$name" || return 0
    begin=$(date +%s%N)
    "$@" >"$log/out" 2>&1 </dev/null
    status=$?
    local seconds=$((($(date +%s%N) - begin) / 1000000000))
    case $status in
    0) passed=$((passed + 1)); printf 'ok      %-44s %4d s\n' "$name" "$seconds" ;;
    77) skipped=$((skipped + 1)); printf 'skipped %-44s %s\n' "$name" "$(tail -n 1 "$log/out")" ;;
    *) failed=$((failed + 1)); printf 'FAILED  %-44s exit %d\n' "$name" "$status"; sed 's/^/        /' "$log/out" | tail -n 60 ;;
    esac
}

while read -r program; do
    one "unit/${program#build-san/tests/}" "$program"
done < <(find build-san/tests -type f -executable -name '*_test' | LC_ALL=C sort)

for script in tests/cli/*.sh; do
    one "cli/$(basename "$script" .sh)" bash "$script"
done

one "verify/all-methods" build/fairquant verify
one "smoke/plain" tests/smoke.sh build/fairquant
one "smoke/sanitized" tests/smoke.sh build-san/fairquant

printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
