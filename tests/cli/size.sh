#!/usr/bin/env bash
# size: bytes by hand, keys and values apart, JSON, the page that quotes it, and the bits formulas against the bytes.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
fq=$fairquant
shape=(--layers 80 --kv-heads 8 --dim 128 --context 131072)

# 2 x 80 x 8 x 131072 vectors; 4 bits and one half are 66 bytes, KIVI-2's groups of 32 are 3 bits, vLLM's values have a minimum more than its keys
expect 0 'turboquant-mse +4\.1250 +84480\.0 +10560\.000 +3\.88 +5280\.000 +5280\.000 +320\.000' -- "$fq" size "${shape[@]}" turboquant-mse:bits=4,scalar=fp16
expect 0 'kivi +3\.0000 +61440\.0 +7680\.000 +5\.33 +3840\.000 +3840\.000 +2560\.000' -- "$fq" size "${shape[@]}" kivi:bits=2,group=32
expect 0 'turboquant@vllm +4\.1875 +85760\.0 +10720\.000 +3\.82 +5280\.000 +5440\.000' -- "$fq" size "${shape[@]}" turboquant@vllm:bits=4

# tokens that fill no group of keys are float16: 33 tokens of d = 64 are a group of 32 (24 bytes of 64 a token) and one of 128 bytes; values need no group
"$fq" size --layers 2 --kv-heads 3 --dim 64 --context 33 --json kivi:bits=2,group=32 fp16 >"$dir/size.json" || fail "size --json"
python3 - "$dir/size.json" <<'P' || fail "size --json is not as computed by hand"
import json, sys
d = json.load(open(sys.argv[1]))
kivi, half = d["methods"]
assert (d["layers"], d["kv_heads"], d["dim"], d["context"]) == (2, 3, 64, 33), d
assert kivi["key_bytes"] == 6 * (32 * 24 + 128) and kivi["value_bytes"] == 6 * 33 * 24, kivi
assert kivi["cache_bytes"] == kivi["key_bytes"] + kivi["value_bytes"] and kivi["bytes_per_token"] == kivi["cache_bytes"] / 33, kivi
assert half["cache_bytes"] == 2 * 6 * 33 * 128 and half["ratio_to_fp16"] == 1 and half["rate_bits"] == 16, half
assert abs(kivi["ratio_to_fp16"] - half["cache_bytes"] / kivi["cache_bytes"]) < 1e-12, kivi
assert abs(kivi["key_bits"] - 8 * kivi["key_bytes"] / (6 * 33 * 64)) < 1e-12, kivi
P

# a sketch that decodes nothing holds no values: no total, no ratio, nulls in JSON
expect 0 'qjl +- +- +- +- +2720\.000 +- +160\.000 .*keys only' -- "$fq" size "${shape[@]}" qjl
python3 - "$("$fq" size "${shape[@]}" --json qjl)" <<'P' || fail "size of keys without values"
import json, sys
r = json.loads(sys.argv[1])["methods"][0]
assert r["key_bits"] == 2.125 and r["key_bytes"] > 0 and all(r[k] is None for k in ("value_bits", "value_bytes", "cache_bytes", "rate_bits", "ratio_to_fp16")), r
P
# what has to be there to read the cache is in the ratio: at 4096 tokens codebooks are as large as the codes
expect 0 'pq +2\.0000 +40960\.0 +160\.000 +4\.00 .* 160\.000 ' -- "$fq" size --layers 80 --kv-heads 8 --dim 128 --context 4096 pq

# every method has a row; what cannot hold a shape says why in its row, and what was asked for by name in a sentence
"$fq" list methods --json >"$dir/list.json" && "$fq" size --layers 1 --kv-heads 1 --dim 40 --context 64 --json >"$dir/all.json" || fail "size of all methods"
python3 - "$dir/list.json" "$dir/all.json" <<'P' || fail "size without METHOD does not list every method"
import json, sys
names, rows = json.load(open(sys.argv[1])), json.load(open(sys.argv[2]))["methods"]
assert sorted(m["name"] for m in names) == sorted(r["method"] for r in rows)
refused = {r["method"]: r["refused"] for r in rows if "refused" in r}
assert "40" in refused["q4_0"] and "fp16" not in refused, refused
P
expect 2 'q4_0' '32' '40' -- "$fq" size --layers 1 --kv-heads 1 --dim 40 --context 64 fp16 q4_0
[ -s "$dir/out.txt" ] && fail "a row was printed before the method that cannot be had"
expect 2 'did you mean .rabitq' -- "$fq" size "${shape[@]}" rabbitq

# what is learnt, each layer and head learns for itself; what is drawn is there once
python3 - "$("$fq" size --layers 4 --kv-heads 2 --dim 64 --context 64 --json pq turboquant-mse)" "$("$fq" size --layers 1 --kv-heads 1 --dim 64 --context 64 --json pq turboquant-mse)" <<'P' || fail "shared state"
import json, sys
many, one = (json.loads(a)["methods"] for a in sys.argv[1:])
assert many[0]["shared_bytes"] == 8 * one[0]["shared_bytes"] > 0 and many[1]["shared_bytes"] == one[1]["shared_bytes"] > 0
P

# the page quotes a command and what it prints
python3 - docs/size.md >"$dir/quoted" <<'P' || fail "docs/size.md holds no command"
import re, sys
block = re.search(r"```text\n\$ (fairquant (?:.*\\\n)*.*)\n((?:.*\n)*?)```", open(sys.argv[1]).read())
print(block.group(1).replace("\\\n", " "))
print(block.group(2), end="")
P
read -r _ command <"$dir/quoted"
# shellcheck disable=SC2086
"$fq" $command >"$dir/printed" || fail "the command of docs/size.md"
diff <(tail -n +2 "$dir/quoted") "$dir/printed" >&2 || fail "docs/size.md does not quote what its command prints: $command"

# every formula gives the measured rate
python3 tests/cli/bits_formula.py "$fq" >"$dir/formulas" || { fail "bits formulas"; tail -n 30 "$dir/formulas" >&2; }
exit "$bad"
