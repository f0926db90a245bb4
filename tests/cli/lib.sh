# Shared by the command-line tests; sourced, not run. Each test works in its own folder, which goes away at the end.
# shellcheck shell=bash disable=SC2034
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
root=$PWD
export FQ_HOME=$root
fairquant=${FAIRQUANT:-$root/build-san/fairquant}
[ -x "$fairquant" ] || fairquant=$root/build/fairquant
dir=$(mktemp -d)
mounted=
trap '[ -z "$mounted" ] || umount "$mounted"; rm -rf "$dir"' EXIT
bad=0
fail() { printf 'not as expected: %s\n' "$1" >&2; bad=1; }

# expect STATUS PATTERN... -- COMMAND...: exit status, and every pattern in its stderr or stdout; on 2 exactly one sentence line on stderr.
expect() {
    local want=$1 status
    shift
    local patterns=()
    while [ "$1" != -- ]; do patterns+=("$1"); shift; done
    shift
    "$@" >"$dir/out.txt" 2>"$dir/err.txt" </dev/null
    status=$?
    [ "$status" = "$want" ] || { fail "exit $status instead of $want from: $*"; tail -n 8 "$dir/err.txt" >&2; }
    local p
    for p in "${patterns[@]}"; do
        grep -qiE -- "$p" "$dir/err.txt" "$dir/out.txt" || # no pipe: grep -q closes it early, and pipefail would take that for a miss
            { fail "'$p' is missing in what this says: $*"; tail -n 8 "$dir/err.txt" >&2; }
    done
    if [ "$want" = 2 ]; then
        [ -s "$dir/err.txt" ] || fail "exit 2 without a sentence: $*"
        grep -qiE 'sanitizer|runtime error|HDF5-DIAG|core dumped' "$dir/err.txt" && { fail "noise instead of a sentence: $*"; head -n 20 "$dir/err.txt" >&2; }
    fi
    return 0
}
# No file that matches may be left behind.
absent() { local f; for f in "$@"; do [ ! -e "$f" ] || fail "left behind: $f"; done; }
sweep() { # writes a sweep with the given methods lines: sweep FILE 'methods lines' [data line] [more top-level lines]
    cat >"$1" <<Y
name: test
contract: matched-cpu
threads: 1
seeds: [1]
repetitions: {processes: 1, blocks: 2}
data:
  - ${3:-"{generate: sphere, vectors: [64], dim: [32]}"}
metrics: [distortion, bytes]
${4:-}
methods:
$2
Y
}
