#!/usr/bin/env bash
# Runs every test and closes with one line, "N passed, N failed, N skipped". Programs under build-san carry ASan and UBSan: their first report fails the
# test. What a program or a script left out is counted as skipped, with its reason: an "ok" that tried nothing would be a lie.
# Usage: tests/run.sh [PATTERN]: only tests whose name matches.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
export FQ_HOME=$PWD
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
# The literature's corpus, where a copy lies beside the checkout: tests that need it look there.
if [ -z "${FQ_MIRROR:-}" ] && [ -d ../shared/datasets ]; then
    FQ_MIRROR=$(cd ../shared/datasets && pwd)
    export FQ_MIRROR
fi
passed=0 failed=0 skipped=0
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
pattern=${1:-.}

# What a log says was left out: the number, a blank, the reasons. Of cmocka: each test that called skip(), with the last message that it printed before, or
# its name. Of a script: each line that begins with "note:".
left_out() {
    awk '
        /^\[ RUN      \]/ { open = 1; said = ""; next }
        /^\[  SKIPPED \]/ && open { open = 0; name = $0; sub(/^\[  SKIPPED \] */, "", name); n++; add(said != "" ? said : name); next }
        /^\[ +(OK|FAILED|ERROR) +\]|^\[  (FAILED|ERROR) / { open = 0; next }
        /^note:/ { text = $0; sub(/^note: */, "", text); n++; add(text); next }
        !/^\[/ && NF { said = $0 }
        function add(text) { if (!(text in seen)) { seen[text] = 1; reasons = reasons (reasons == "" ? "" : "; ") text } }
        END { print n + 0, reasons }' "$1"
}
# Did any test of a cmocka program pass? (A program without such a line is no cmocka program, and its exit status speaks.)
none_passed() { grep -q '^\[  PASSED  \] 0 test(s)' "$1"; }

one() { # name, command...
    local name=$1 begin status left reason
    shift
    grep -qE "$pattern" <<<"$name" || return 0
    begin=$(date +%s%N)
    "$@" >"$log/out" 2>&1 </dev/null
    status=$?
    local seconds=$((($(date +%s%N) - begin) / 1000000000))
    read -r left reason < <(left_out "$log/out")
    case $status in
    0)
        skipped=$((skipped + left))
        if [ "$left" = 0 ]; then
            passed=$((passed + 1))
            printf 'ok      %-44s %4d s\n' "$name" "$seconds"
        elif none_passed "$log/out"; then
            printf 'skipped %-44s %d skipped: %s\n' "$name" "$left" "$reason"
        else
            passed=$((passed + 1))
            printf 'ok      %-44s %4d s (%d skipped: %s)\n' "$name" "$seconds" "$left" "$reason"
        fi
        ;;
    77) skipped=$((skipped + 1)); printf 'skipped %-44s %s\n' "$name" "$(tail -n 1 "$log/out")" ;;
    *) failed=$((failed + 1)); printf 'FAILED  %-44s exit %d\n' "$name" "$status"; sed 's/^/        /' "$log/out" | tail -n 60 ;;
    esac
}

# Tests of this script source it for its functions.
[ "${FQ_RUN_FUNCTIONS_ONLY:-}" = 1 ] && return 0

while read -r program; do
    one "unit/${program#build-san/tests/}" "$program"
done < <(find build-san/tests -type f -executable -name '*_test' | LC_ALL=C sort)

for script in tests/cli/*.sh; do
    [ "$script" != tests/cli/lib.sh ] || continue
    one "cli/$(basename "$script" .sh)" bash "$script"
done

one "verify/all-methods" build/fairquant verify
one "smoke/plain" tests/smoke.sh build/fairquant
one "smoke/sanitized" tests/smoke.sh build-san/fairquant
one "fuzz/all-methods" tests/fuzz/run.sh 120

printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
