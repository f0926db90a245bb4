#!/usr/bin/env bash
# The test runner itself: what was skipped is shown and counted, never an "ok" alone.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

run_one() { # prints the line that the runner prints for one command, then its three counts
    (
        FQ_RUN_FUNCTIONS_ONLY=1
        # shellcheck source=tests/run.sh
        . tests/run.sh .
        one "a/test" "$@"
        echo "counts $passed $failed $skipped"
    )
}
expect_line() { # PATTERN COUNTS FILE: a script that prints FILE and ends well
    local out
    out=$(run_one bash -c "cat '$3'")
    grep -qE -- "$1" <<<"$out" || fail "'$1' is missing in: $out"
    grep -qx -- "counts $2" <<<"$out" || fail "expected counts $2 in: $out"
}

printf '[==========] Running 2 test(s).\n[ RUN      ] b\n[       OK ] b\n[ RUN      ] a\nthe model is not here: make setup\n[  SKIPPED ] a\n[ RUN      ] c\n[  SKIPPED ] c\n[==========] 3 test(s) run.\n[  PASSED  ] 1 test(s).\n[  SKIPPED ] 2 test(s), listed below:\n[  SKIPPED ] a\n[  SKIPPED ] c\n' >"$dir/some"
expect_line '^ok +a/test .*\(2 skipped: the model is not here: make setup; c\)$' '1 0 2' "$dir/some"
printf '[==========] Running 1 test(s).\n[ RUN      ] a\nno libllama\n[  SKIPPED ] a\n[==========] 1 test(s) run.\n[  PASSED  ] 0 test(s).\n[  SKIPPED ] 1 test(s), listed below:\n[  SKIPPED ] a\n' >"$dir/all"
expect_line '^skipped +a/test +1 skipped: no libllama$' '0 0 1' "$dir/all"
printf '[ RUN      ] b\nsome words\n[       OK ] b\n[  PASSED  ] 1 test(s).\n' >"$dir/none"
expect_line '^ok +a/test +[0-9]+ s$' '1 0 0' "$dir/none"
printf 'note: this user cannot mount a small file system; the disk-full case was not tried\n' >"$dir/note"
expect_line '^ok .*\(1 skipped: this user cannot mount a small file system; the disk-full case was not tried\)$' '1 0 1' "$dir/note"
out=$(run_one bash -c 'echo why; exit 77')
grep -qx 'counts 0 0 1' <<<"$out" || fail "exit 77 is not counted as skipped: $out"
out=$(run_one bash -c 'echo why; exit 3')
grep -qx 'counts 0 1 0' <<<"$out" || fail "exit 3 is not counted as failed: $out"
exit "$bad"
