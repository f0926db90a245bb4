#!/usr/bin/env bash
# Runs a sweep as one shard per processor, each bound to its own, and merges them.
#
#   scripts/shards.sh SWEEP.yaml OUT.h5 [options of `fairquant run`, e.g. --resume --data 'smollm2*']
#
# For sweeps that only run models (configs/models, `workers: 1`): two passes of one thread each take less time than one pass after the other with two
# threads, which wait for each other at every node of the graph. Not for speed cells: what runs beside them disturbs their times. Each shard holds a model
# of its own; the parts stay beside OUT.h5 (OUT.1.h5, ...) so that --resume finds them.
set -euo pipefail

die() {
    printf 'shards.sh: %s\n' "$*" >&2
    exit 2
}

[ $# -ge 2 ] || die "usage: scripts/shards.sh SWEEP.yaml OUT.h5 [options of fairquant run]"
readonly sweep=$1 out=$2
shift 2
readonly fairquant=${FAIRQUANT:-$(dirname "$0")/../build/fairquant}
[ -x "$fairquant" ] || die "no program at $fairquant: make, or set FAIRQUANT"
[ -f "$sweep" ] || die "no sweep file '$sweep'"
[[ $out == *.h5 ]] || die "the results file '$out' should end in .h5"
command -v taskset >/dev/null || die "taskset is missing: apt-get install util-linux"

# The plan knows; it needs the plug-ins of the run, whose other options it does not have.
plugins=()
for ((i = 1; i <= $#; i++)); do
    case ${!i} in
    --plugin=* | -p?*) plugins+=("${!i}") ;;
    --plugin | -p) next=$((i + 1)) && plugins+=("${!i}" "${!next:-}") ;;
    esac
done
planned=$("$fairquant" plan "$sweep" "${plugins[@]}")
if grep -q '^speed ' <<<"$planned"; then
    die "$sweep has speed cells, which nothing may run beside: fairquant run $sweep --out $out"
fi

# The processors that this process may use: taskset prints 0-3,8 or 0-6:2.
processors=()
IFS=, read -ra ranges <<<"$(taskset -cp $$ | sed 's/.*: //')"
for range in "${ranges[@]}"; do
    step=1
    [[ $range != *:* ]] || step=${range#*:}
    range=${range%:*}
    mapfile -t more < <(seq "${range%-*}" "$step" "${range#*-}")
    processors+=("${more[@]}")
done
readonly n=${#processors[@]}

parts=() pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true' INT TERM
for ((i = 1; i <= n; i++)); do
    part=${out%.h5}.$i.h5
    parts+=("$part")
    taskset -c "${processors[i - 1]}" "$fairquant" run "$sweep" --shard "$i/$n" --out "$part" "$@" >"${part%.h5}.log" 2>&1 &
    pids+=($!)
done
worst=0
for ((i = 0; i < n; i++)); do
    status=0
    wait "${pids[i]}" || status=$?
    tail -n 1 "${parts[i]%.h5}.log"
    [ "$status" -le "$worst" ] || worst=$status
done
[ "$worst" -le 1 ] || exit "$worst"
"$fairquant" merge --replace --out "$out" "${parts[@]}"
exit "$worst"
