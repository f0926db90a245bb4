#!/usr/bin/env bash
# kill -9 at any moment loses no finished cell and repeats none; an output that exists is never written over.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
fq=$fairquant
sweep "$dir/s.yaml" '  - {name: turboquant-mse, bits: [2, 3], rotation: [haar, rht]}
  - {name: rabitq, bits: 2}
  - {name: fp16}' '{generate: sphere, vectors: [700, 600, 500], dim: [64]}'
sed -i 's/^metrics:.*/metrics: [distortion, inner_product, speed, bytes]/; s/^seeds:.*/seeds: [1, 2, 3, 4]/' "$dir/s.yaml"
finished() { find "$dir/r.h5.journal" -name '*.h5' 2>/dev/null | grep -c '/[0-9a-f]*\.h5$' || true; }

planned=$("$fq" plan "$dir/s.yaml" --cells | grep -cE '^ *[0-9]+  [0-9a-f]{16}  ')
[ "$planned" -gt 50 ] || fail "only $planned cells planned"

# three kills, each after some cells more
kept=0
for round in 1 2 3; do
    "$fq" run "$dir/s.yaml" --out "$dir/r.h5" --resume >"$dir/out.txt" 2>"$dir/err.txt" </dev/null &
    victim=$!
    for _ in $(seq 400); do
        [ "$(finished)" -ge $((kept + 9)) ] && break
        kill -0 "$victim" 2>/dev/null || break
        sleep 0.05
    done
    kill -9 "$victim" 2>/dev/null || fail "round $round: the run ended before it could be killed"
    wait "$victim" 2>/dev/null
    sleep 0.3 # a speed process dies with the run that started it
    now=$(finished)
    [ "$now" -gt "$kept" ] || fail "round $round: $now cells after $kept, nothing was kept"
    kept=$now
    [ ! -e "$dir/r.h5" ] || fail "round $round: results exist though the run was killed"
done
(cd "$dir/r.h5.journal" && sha256sum ./*.h5 | sort) >"$dir/kept.txt"

# without --resume the unfinished run is not touched; with another sweep it is refused
expect 2 'journal' 'resume' -- "$fq" run "$dir/s.yaml" --out "$dir/r.h5"
sed 's/^seeds:.*/seeds: [7]/' "$dir/s.yaml" >"$dir/other.yaml"
expect 2 'another sweep' -- "$fq" run "$dir/other.yaml" --out "$dir/r.h5" --resume
expect 2 'another sweep' -- "$fq" run "$dir/s.yaml" --out "$dir/r.h5" --resume --threads 2
(cd "$dir/r.h5.journal" && sha256sum ./*.h5 | sort) | diff -q - "$dir/kept.txt" >/dev/null || fail "a refused run changed the journal"

# what a killed run kept can be looked at: its files join to a results file that says what is missing
expect 0 "$kept of $planned planned cells \\(partial" -- "$fq" merge --out "$dir/kept.h5" "$dir"/r.h5.journal/*.h5

# the rest: what was finished is kept, what was not is run once
expect 0 "$planned cells, $((planned - kept)) run now, $kept kept, 0 failed" -- "$fq" run "$dir/s.yaml" --out "$dir/r.h5" --resume
[ ! -d "$dir/r.h5.journal" ] || fail "the journal is still there"
expect 0 "$planned cells, 0 run now, $planned kept" -- "$fq" run "$dir/s.yaml" --out "$dir/r.h5" --resume
expect 2 'exists already' -- "$fq" run "$dir/s.yaml" --out "$dir/r.h5"

# the order is the stored one, whatever was killed: a run in one go plans the same cells
expect 0 -- "$fq" audit "$dir/r.h5"
exit "$bad"
