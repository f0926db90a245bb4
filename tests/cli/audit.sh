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

# judge and report refuse what the audit fails, and print the field
expect 0 'rate_bits' -- "$fq" report "$dir/bits.h5" --out "$dir/report"
grep -rq 'rate_bits' "$dir/report/index.html" || fail "the report does not name rate_bits"
exit "$bad"
