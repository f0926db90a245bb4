#!/usr/bin/env bash
# plan, run, merge, list, size, env: what they print, what they refuse, and that shards make a whole.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
fq=$fairquant

expect 0 'Usage: fairquant VERB' 'audit' -- "$fq" --help
expect 0 'FQ_DATA' 'FQ_MIRROR' 'FQ_HOME' -- "$fq" --help
expect 0 'fairquant [0-9]+\.[0-9]+' -- "$fq" --version
expect 2 'Usage' -- "$fq"
expect 2 'xyzzyxyzzy' -- "$fq" xyzzyxyzzy
for verb in list plan run merge size env; do
    expect 0 'Usage: fairquant '"$verb" -- "$fq" "$verb" --help
    expect 2 -- "$fq" "$verb" --no-such-option
done

# list and env: the text names what is there, the JSON is JSON
expect 0 'turboquant-mse \(contender\)' 'bits' 'rotation' 'centre: none, calibrated, running .* or rope-bias' -- "$fq" list methods
[ "$(grep -c '^$' "$dir/out.txt")" = "$(grep -cE '^[a-z].* \((contender|baseline|negative control)\): ' "$dir/out.txt")" ] || fail "list methods: no empty line behind each method"
expect 0 '^e8p \(contender\)' 'at d = 7 +e8p codes 8 coordinates' 'rotation +\(default haar\): .*none, haar, hadamard' -- "$fq" list methods e8p
grep -q rabitq "$dir/out.txt" && fail "list methods NAME prints others"
expect 0 'keys only: it decodes nothing' 'outlier_sketch_ratio 0\.5\|1\|2\|4 ' -- "$fq" list methods qjl
expect 2 "did you mean 'rabitq'" -- "$fq" list methods rabbitq
expect 2 'expected one topic' -- "$fq" list claims e8p
expect 0 'matched-cpu' -- "$fq" list contracts
expect 0 'smollm2-135m' -- "$fq" list models
expect 0 'ref .*usable' 'cuda' -- "$fq" list backends
expect 2 'methodz' "did you mean 'methods'" -- "$fq" list methodz
for topic in methods claims contracts models backends; do
    "$fq" list "$topic" --json | python3 -c 'import json,sys; d=json.load(sys.stdin); assert isinstance(d, list) and d' || fail "list $topic --json is no JSON list"
done
expect 0 'binary_sha256' 'cpu_model' 'hdf5' 'libllama' -- "$fq" env
"$fq" env --json | python3 -c 'import json,sys; d=json.load(sys.stdin); assert len(d["binary_sha256"]) == 64' || fail "env --json"

# size: bytes by hand. d = 128, 4 bits and one half per vector: 66 bytes of 256; 2 x 80 x 8 x 131072 x 66 / 2^20 = 10560 MiB
expect 0 'turboquant-mse +4\.1250 +84480\.0 +10560\.000' -- "$fq" size --layers 80 --kv-heads 8 --dim 128 --context 131072 turboquant-mse:bits=4,scalar=fp16
expect 0 'fp16 +16\.0000 +327680\.0 +40960\.000' -- "$fq" size --layers 80 --kv-heads 8 --dim 128 --context 131072 fp16
expect 2 'context' -- "$fq" size --layers 80 --kv-heads 8 --dim 128
expect 2 'dim' 'abc' -- "$fq" size --layers 80 --kv-heads 8 --dim abc --context 16
expect 2 'bits' '99' -- "$fq" size --layers 1 --kv-heads 1 --dim 64 --context 16 rabitq:bits=99
for wrong in rabitq:bits=99 fp16:bits=2 nosuchmethod; do # all is read before the first line is printed
    "$fq" size --layers 1 --kv-heads 1 --dim 64 --context 16 fp16 "$wrong" >"$dir/out.txt" 2>/dev/null
    [ ! -s "$dir/out.txt" ] || fail "size printed a table before it refused $wrong"
done
expect 2 'or set FQ_DATA to the folder that holds it' -- env FQ_DATA="$dir" FQ_MIRROR= "$fq" size --model smollm2-135m --context 16
expect 2 'both' -- "$fq" size --model smollm2-135m --layers 3 --kv-heads 8 --dim 64 --context 16

# plan: an A/A twin is there, impossible metrics are said, nothing is written
sweep "$dir/s.yaml" '  - {name: turboquant-mse, bits: [2, 3]}
  - {name: fp16, metrics: [distortion, bytes]}'
sed -i 's/^metrics:.*/metrics: [distortion, attention, speed, bytes]/; s/^seeds:.*/seeds: [1, 2]/' "$dir/s.yaml"
expect 0 'turboquant-mse bits=2 \(twin\)' 'attention on sphere-64x32: not planned' 'all +13 ' -- "$fq" plan "$dir/s.yaml"
[ -z "$(find "$dir" -name '*.journal')" ] || fail "plan left a journal"
# vectors are no keys, and a name longer than its column used to be runs into no neighbour
sweep "$dir/wide.yaml" '  - {name: turboquant-mse, bits: 2, rate_class: a-class-with-a-long-name}'
expect 0 'a-class-with-a-long-name +2 ' 'codec +sphere-64x32 +vectors ' -- "$fq" plan "$dir/wide.yaml"

# what is wrong is said with its line
line() { sweep "$dir/bad.yaml" "$1" "${2:-}" "${3:-}"; }
line '  - {name: fp16, bits: 2}'
expect 2 'bad\.yaml:11' 'fp16, which has none' -- "$fq" plan "$dir/bad.yaml"
line '  - {bits: 2}'
expect 2 'bad\.yaml:11' 'name' -- "$fq" plan "$dir/bad.yaml"
line '  - {name: rabitq, bits: []}'
expect 2 'bad\.yaml:11' 'empty' -- "$fq" plan "$dir/bad.yaml"
line '  - {name: rabitq, bits: 2.5}'
expect 2 'bad\.yaml:11' 'whole number' -- "$fq" plan "$dir/bad.yaml"
line '  - {name: rabitq, bits: 2, bits: 3}'
expect 2 'bad\.yaml:11' 'twice' -- "$fq" plan "$dir/bad.yaml"
line '  - {name: rabitq, metrics: [speeed]}'
expect 2 'bad\.yaml:11' "did you mean 'speed'" -- "$fq" plan "$dir/bad.yaml"
line '  - {name: fp16}' '{generate: sphere, vectors: [64], dims: [32]}'
expect 2 'bad\.yaml:7' "unknown key 'dims'" "did you mean 'dim'" -- "$fq" plan "$dir/bad.yaml"
line '  - {name: fp16}' '{generate: sphere, vectors: [0], dim: [32]}'
expect 2 'bad\.yaml:7' 'vectors' -- "$fq" plan "$dir/bad.yaml"
line '  - {name: fp16}' '{kv: nowhere.h5, tensors: [query]}'
expect 2 'bad\.yaml:7' 'query' -- "$fq" plan "$dir/bad.yaml"
line '  - {name: fp16}' '' 'threads: 0'
expect 2 'bad\.yaml' 'threads' -- "$fq" plan "$dir/bad.yaml"
sed 's/matched-cpu/matched-cpus/' "$dir/s.yaml" >"$dir/contract.yaml"
expect 2 'contract\.yaml' 'matched-cpus' "did you mean 'matched-cpu'" -- "$fq" plan "$dir/contract.yaml"
line '  - {name: fp16}' '' 'isa: sse9'
expect 2 'bad\.yaml' 'sse9' -- "$fq" plan "$dir/bad.yaml"
expect 2 'plug-in|plugin|ELF' -- "$fq" plan "$dir/s.yaml" --plugin "$dir/s.yaml"
expect 2 'shard' -- "$fq" run "$dir/s.yaml" --out "$dir/x.h5" --shard 3/2
absent "$dir/x.h5" "$dir/x.h5.journal"

# three shards hold every cell once; merged they are the whole
expect 0 '13 cells, 13 run now' -- "$fq" run "$dir/s.yaml" --out "$dir/whole.h5"
# a refusal comes alone: no note about a run that will not be
"$fq" run "$dir/s.yaml" --out "$dir/whole.h5" 2>"$dir/err.txt" && fail "run replaced an existing file"
[ "$(wc -l <"$dir/err.txt")" = 1 ] || fail "notes before a refusal: $(cat "$dir/err.txt")"
mkdir "$dir/left.h5.journal"
expect 2 'left\.h5\.journal' 'did not end' -- "$fq" run "$dir/s.yaml" --out "$dir/left.h5"
expect 2 'no file can be made' -- "$fq" run "$dir/s.yaml" --out /proc/x.h5
total=0
for i in 1 2 3; do
    "$fq" run "$dir/s.yaml" --out "$dir/part$i.h5" --shard "$i/3" --quiet >"$dir/out.txt" 2>&1 || fail "shard $i failed: $(cat "$dir/out.txt")"
    total=$((total + $(sed -n 's/.*: \([0-9]*\) cells (shard.*/\1/p' "$dir/out.txt")))
done
[ "$total" = 13 ] || fail "the shards hold $total cells, the sweep has 13"
for verb in audit judge; do
    "$fq" "$verb" "$dir/part1.h5" >"$dir/out.txt" 2>/dev/null
    head -n 1 "$dir/out.txt" | grep -qE 'part1\.h5 holds [0-9]+ of 13 planned cells: merge its shards' || fail "$verb does not begin with what a shard lacks"
done
expect 0 'partial' -- "$fq" merge --out "$dir/some.h5" "$dir/part1.h5" "$dir/part2.h5"
expect 0 '13 of 13' -- "$fq" merge --out "$dir/merged.h5" "$dir/part1.h5" "$dir/part2.h5" "$dir/part3.h5"
expect 0 '13 of 13' -- "$fq" merge --out "$dir/again.h5" "$dir/merged.h5" "$dir/part2.h5"
expect 2 'exists already' -- "$fq" merge --out "$dir/merged.h5" "$dir/part1.h5"
# timings of the same cells differ, so the whole and a part contradict each other
expect 2 'other numbers' -- "$fq" merge --out "$dir/x.h5" "$dir/whole.h5" "$dir/merged.h5"
sweep "$dir/other.yaml" '  - {name: fp16}'
expect 0 -- "$fq" run "$dir/other.yaml" --out "$dir/other.h5"
expect 2 'one sweep' -- "$fq" merge --out "$dir/x.h5" "$dir/part1.h5" "$dir/other.h5"
expect 2 'part' -- "$fq" merge --out "$dir/x.h5"
expect 2 'cut\.h5' -- sh -c "head -c 5000 '$dir/merged.h5' >'$dir/cut.h5'; '$fq' merge --out '$dir/x.h5' '$dir/cut.h5'"
absent "$dir/x.h5"

# --data runs a part, --resume the rest; a pattern that picks nothing is refused, before anything is written
sweep "$dir/parts.yaml" '  - {name: rabitq, bits: [2, 3]}' '{generate: sphere, vectors: [64], dim: [32, 64]}'
expect 2 "'nix\*' picks none" 'sphere-64x32' -- "$fq" run "$dir/parts.yaml" --out "$dir/parts.h5" --data 'nix*'
absent "$dir/parts.h5" "$dir/parts.h5.journal"
expect 0 -- "$fq" plan "$dir/parts.yaml"
half=$(sed -n 's/^codec *sphere-64x32 *\([0-9]*\) .*/\1/p' "$dir/out.txt")
expect 0 "$half cells on \*x32 .the sweep has $((2 * half)).*, $half run now, 0 kept, 0 failed" -- "$fq" run "$dir/parts.yaml" --out "$dir/parts.h5" --data '*x32'
expect 0 "holds $half of $((2 * half)) planned cells.*--resume" -- "$fq" audit "$dir/parts.h5"
expect 0 "$((2 * half)) cells, $half run now, $half kept, 0 failed" -- "$fq" run "$dir/parts.yaml" --out "$dir/parts.h5" --resume

# one shard per processor, merged: the cells of one run; what it cannot do is said
sed -i 's/^contract:.*/&\nworkers: 1/' "$dir/parts.yaml"
expect 0 "$((2 * half)) of $((2 * half))" -- env FAIRQUANT="$fq" scripts/shards.sh "$dir/parts.yaml" "$dir/shards.h5" --quiet
expect 0 -- "$fq" run "$dir/parts.yaml" --out "$dir/one.h5" --quiet
expect 0 "$((2 * half)) of $((2 * half))" -- "$fq" merge --out "$dir/both.h5" "$dir/shards.h5" "$dir/one.h5"
expect 2 'speed cells' -- env FAIRQUANT="$fq" scripts/shards.sh configs/smoke.yaml "$dir/speed.h5"
sed 's/^metrics:.*/metrics:\n  - bytes\n  - speed/' "$dir/parts.yaml" >"$dir/lines.yaml"
expect 2 'speed cells' -- env FAIRQUANT="$fq" scripts/shards.sh "$dir/lines.yaml" "$dir/speed.h5"
expect 2 'usage' -- env FAIRQUANT="$fq" scripts/shards.sh "$dir/parts.yaml"
absent "$dir/speed.h5"

# the numbers of cells that are not timed do not depend on the run: a cell that two runs share is equal
sweep "$dir/still.yaml" '  - {name: rabitq, bits: 2}'
expect 0 -- "$fq" run "$dir/still.yaml" --out "$dir/still1.h5"
expect 0 -- "$fq" run "$dir/still.yaml" --out "$dir/still2.h5"
expect 0 -- "$fq" merge --out "$dir/still.h5" "$dir/still1.h5" "$dir/still2.h5"

# a cell that fails is recorded and the sweep goes on: half precision cannot hold what the generator's scale makes of it
python3 - "$dir/huge.npy" <<'P'
import struct, sys
rows, dim = 64, 32
head = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % (rows, dim)
head += " " * (63 - (10 + len(head)) % 64) + "\n"
open(sys.argv[1], "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + struct.pack("<%df" % (rows * dim), *([3e30, -1e30] * (rows * dim // 2))))
P
sweep "$dir/fail.yaml" '  - {name: turboquant-mse, bits: 2, scalar: [fp16, fp32]}' "{vectors: $dir/huge.npy}"
expect 1 'cells failed' 'no representation|overflow|does not fit' -- "$fq" run "$dir/fail.yaml" --out "$dir/fail.h5"
[ -s "$dir/fail.h5" ] || fail "the results of the cells that did not fail are missing"
expect 1 '0 run now' -- "$fq" run "$dir/fail.yaml" --out "$dir/fail.h5" --resume
exit "$bad"
