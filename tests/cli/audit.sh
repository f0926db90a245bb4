#!/usr/bin/env bash
# The audit passes equals and names the field on which unequals differ: threads, rate, binary.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
fq=$fairquant
speed='{generate: sphere, vectors: [256], dim: [32]}'

sweep "$dir/fair.yaml" '  - {name: turboquant-mse, bits: 2}
  - {name: rabitq, bits: 2}' "$speed"
sed -i 's/^metrics:.*/metrics: [distortion, speed, bytes]/' "$dir/fair.yaml"
expect 0 -- "$fq" run "$dir/fair.yaml" --out "$dir/fair.h5"
expect 0 'fair' -- "$fq" audit "$dir/fair.h5"

# one method with two threads
sed 's/{name: rabitq, bits: 2}/{name: rabitq, bits: 2, threads: 2}/' "$dir/fair.yaml" >"$dir/threads.yaml"
expect 0 -- "$fq" run "$dir/threads.yaml" --out "$dir/threads.h5"
expect 1 'threads_configured' 'rabitq' -- "$fq" audit "$dir/threads.h5"

# one method with more bits in the same class
sweep "$dir/bits.yaml" '  - {name: turboquant-mse, bits: 2, rate_class: 2}
  - {name: rabitq, bits: 4, rate_class: 2}'
expect 0 -- "$fq" run "$dir/bits.yaml" --out "$dir/bits.h5"
expect 1 'rate_bits' 'rabitq' -- "$fq" audit "$dir/bits.h5"

# one sweep, two binaries: a byte appended to an ELF file changes its hash and nothing else
cp "$fq" "$dir/other"
printf 'x' >>"$dir/other"
expect 0 -- "$fq" run "$dir/fair.yaml" --out "$dir/part1.h5" --shard 1/2
expect 0 -- "$dir/other" run "$dir/fair.yaml" --out "$dir/part2.h5" --shard 2/2
expect 0 -- "$fq" merge --out "$dir/merged.h5" "$dir/part1.h5" "$dir/part2.h5"
expect 1 'binary_sha256' -- "$fq" audit "$dir/merged.h5"

# the same two shards by one binary are one fair run
expect 0 -- "$fq" run "$dir/fair.yaml" --out "$dir/part3.h5" --shard 2/2
expect 0 -- "$fq" merge --out "$dir/whole.h5" "$dir/part1.h5" "$dir/part3.h5"
expect 0 -- "$fq" audit "$dir/whole.h5"

# judge refuses to compare what the audit fails, names the field, and compares the same two methods at equal bits
mkdir "$dir/claims"
cat >"$dir/claims/one.yaml" <<Y
id: rabitq-below-turboquant
who: a test
words: "rabitq has the smaller error"
where: here
statement: the error of rabitq is below that of turboquant-mse
contract: matched-cpu
family: test
level: 0.95
minimum_effect: 0.005
tests:
  - name: below
    cells: {kind: codec, data: "sphere-*", method: rabitq}
    metric: rel_mse
    against: {method: turboquant-mse}
    as: ratio
    direction: below
Y
sweep "$dir/even.yaml" '  - {name: turboquant-mse, bits: 2, rate_class: 2}
  - {name: rabitq, bits: 2, rate_class: 2}'
expect 0 -- "$fq" run "$dir/even.yaml" --out "$dir/even.h5"
expect 0 'rabitq-below-turboquant +not measured here' 'rate_bits differs under matched-cpu' -- "$fq" judge "$dir/bits.h5" --claims "$dir/claims"
grep -qE 'supported|refuted|inconclusive' "$dir/out.txt" && fail "judge gives a verdict on unequal bits"
expect 0 'rabitq-below-turboquant +(supported|refuted|inconclusive)' -- "$fq" judge "$dir/even.h5" --claims "$dir/claims"
grep -q 'not measured here' "$dir/out.txt" && fail "judge refuses equal bits"

# a class that spans too much is said before the run, and the cure with it; default classes are nominal widths, and 32 scales a vector are not one
sweep "$dir/span.yaml" '  - {name: kivi, bits: 2, group: 32}
  - {name: turboquant-mse, bits: [2, 4]}' '{generate: sphere, vectors: [64], dim: [64]}'
expect 0 'note: rate class 2 .*2\.25 bits \(turboquant-mse[^)]*\) to 3 bits \(kivi[^)]*\), more than 0\.27 apart.*rate_class:' -- "$fq" plan "$dir/span.yaml"
[ "$(grep -c '^note: rate class' "$dir/out.txt")" = 1 ] || fail "plan warns of a class that is even, or more than once of one"
expect 0 -- "$fq" plan "$dir/even.yaml"
grep -q '^note: rate class' "$dir/out.txt" && fail "plan warns of equal rates"
expect 1 'UNFAIR +rate_bits' 'apart\); write a rate_class: of its own' -- "$fq" audit "$dir/bits.h5"

# report lists what is unequal apart, by row and field; a report of equals has no such list
expect 0 'rate_bits' -- "$fq" report "$dir/bits.h5" --out "$dir/odd"
expect 0 -- "$fq" report "$dir/even.h5" --out "$dir/equal"
for marker in 'listed apart' 'rabitq.*differs in .*rate_bits'; do
    grep -qE "$marker" "$dir/odd/index.html" || fail "the report of unequal bits lacks '$marker'"
    grep -qE "$marker" "$dir/equal/index.html" && fail "the report of equal bits has '$marker'"
done
compgen -G "$dir/odd/tables/*-apart.md" >/dev/null || fail "the report of unequal bits has no table apart"
compgen -G "$dir/equal/tables/*-apart.md" >/dev/null && fail "the report of equal bits has a table apart"
grep -q 'unfair:rate_bits' "$dir/odd/cells.csv" || fail "cells.csv does not flag the unequal rows"
grep -q 'unfair:' "$dir/equal/cells.csv" && fail "cells.csv flags equal rows"
exit "$bad"
