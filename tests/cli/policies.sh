#!/usr/bin/env bash
# Cache policies in a sweep: lists multiply, bytes are shown apart, mistakes are one sentence with file and line; and one policy runs to its facts.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
fq=$fairquant
model=${FQ_DATA:-$root/datasets/files}/smollm2-135m.gguf
[ -e "$model" ] || { printf 'the default model is not here (%s); make setup fetches it\n' "$model"; exit 77; }
python3 -c 'print("The cache holds a key and a value for each token that was read. " * 40)' >"$dir/text.txt"

# policies FILE 'policy lines': line 8 is the first policy
policies() {
    cat >"$1" <<Y
name: test
contract: matched-cpu
seeds: [1, 2]
models:
  - {model: $model, corpus: $dir/text.txt, context: 64, chunks: 1, tensors: [key, value]}
metrics: [perplexity]
policies:
$2
Y
}
# refused 'policy line' PATTERN...
refused() {
    policies "$dir/bad.yaml" "  - $1"
    shift
    expect 2 'bad\.yaml:8' "$@" -- "$fq" plan "$dir/bad.yaml"
}

policies "$dir/s.yaml" '  - {name: asym, key: {name: q8_0}, value: {name: turboquant-mse, bits: [2, 4]}, window: [0, 16], sinks: 2}
  - {name: which, key: [full, {name: q8_0}], value: {name: kivi, bits: 2, group: 32}, residual: 32}'
expect 0 'asym value\.bits=2 window=16' 'asym value\.bits=4 window=0' 'which key=full' 'which key=q8_0' '\(twin\)' 'window=16 sinks=2' -- "$fq" plan "$dir/s.yaml" --cells
grep -qE '^which key=full +text\.txt|^which key=full +smollm2-135m.gguf/text.txt@64 +[0-9.]+ +[0-9.]+ KiB +[0-9.]+ [KM]iB' "$dir/out.txt" || fail "codes and full precision apart"
# asym, 4 bits, window 16, sinks 2, 64 tokens: 46 tokens as codes, 18 in 16 bits: (8.5 + 4.25) / 2 and 16
grep -E 'asym value\.bits=4 window=16 ' "$dir/out.txt" | grep -qF "$(python3 -c 'print("%.3f" % ((46 * (8.5 + 4.25) / 2 + 18 * 16) / 64))')" || fail "the rate of a window"

q8='key: {name: q8_0}, value: full'
refused '{name: p, key: {name: q8_0}}' 'needs name, key and value'
refused "{name: p, $q8, data: [none*]}" "no data or model is called 'none\*'"
refused "{name: p, $q8, windw: 4}" "unknown key 'windw'" "did you mean 'window'"
refused '{name: p, key: {name: q8_1}, value: full}' "unknown method 'q8_1'" "did you mean"
refused '{name: p, key: {name: turboquant-mse, bitz: 2}, value: full}' "did you mean 'bits'"
refused '{name: p, key: q8_0, value: full}' 'as a mapping: \{name: q8_0\}'
refused '{name: p, key: ful, value: full}' "did you mean 'full'"
refused "{name: p, $q8, window: 4, residual: 4}" 'give one of them'
refused '{name: p, key: {name: kivi, bits: 2, group: 32}, value: full, residual: 40}' 'no multiple of 32'
refused "{name: p, $q8, layers: [{layers: [30], key: full}]}" 'layer 30 is out of range' 'expected -30 to 29'
refused "{name: p, $q8, layers: [{layers: [0]}]}" 'changes nothing'
refused "{name: p, $q8, layers: [{layer: [0], key: full}]}" 'names its layers'
refused "{name: p, $q8, layers: [{layers: [first], key: full}]}" "found 'first'"
refused "{name: p, $q8, decay: {every: 4, key: {name: q4_0}}}" 'with after and every'
refused "{name: p, $q8, decay: {after: 4, every: 4, keys: {name: q4_0}}}" "did you mean 'key'"
refused "{name: p, $q8, decay: {after: 4, every: 4, key: full}}" 'cannot become full again'
refused "{name: p, $q8, sparse_v: 2}" 'from 0 to 1'
refused "{name: p, $q8, sinks: -1}" 'whole number from 0'
refused "{name: p, $q8, prefill: fulll}" "did you mean 'full'"
refused "{name: p, $q8, path: decoded, window: 4}" 'use path: scores'
refused "{name: p, $q8, centre: median}" 'median' 'calibrated'
refused "{name: p, $q8, window: []}" 'the list is empty'
refused '{name: p, key: full, value: full}' 'nothing to measure'
refused '{name: p, key: {name: q8_0}, value: full, centre: rope-bias}' 'no bias on keys'
policies "$dir/bad.yaml" "  - {name: p, $q8}"
sed -i 's/^metrics:.*/metrics: [bytes]/' "$dir/bad.yaml"
expect 2 'bad\.yaml:6' 'add perplexity' -- "$fq" plan "$dir/bad.yaml"
policies "$dir/bad.yaml" '  []'
expect 2 'at least one entry' -- "$fq" plan "$dir/bad.yaml"

# A policy says itself what it touches: two entries of one model plan it once.
policies "$dir/twice.yaml" "  - {name: once, $q8}"
sed -i 's/^\(  - {model: .*\)tensors: \[key, value\]}$/\1tensors: [key]}\n&/' "$dir/twice.yaml"
expect 0 -- "$fq" plan "$dir/twice.yaml" --cells
[ "$(grep -c '^  - {model:' "$dir/twice.yaml")" = 2 ] && [ "$(grep -cE ' model .* once +1 ' "$dir/out.txt")" = 1 ] || fail "a policy is planned once for each model"

policies "$dir/r.yaml" '  - {name: p, key: {name: q8_0}, value: {name: turboquant-mse, bits: 4}, window: 16, sinks: 2, sparse_v: 1.0e-3, prefill: full}'
sed -i 's/^seeds:.*/seeds: [1]/; s/^metrics:.*/metrics: [perplexity, needle_text]/' "$dir/r.yaml"
expect 0 '0 failed' -- "$fq" run "$dir/r.yaml" --out "$dir/r.h5" --quiet
expect 0 -- "$fq" audit "$dir/r.h5"
expect 0 -- "$fq" report "$dir/r.h5" --out "$dir/report"
grep -q "planted sentences recalled" "$dir"/report/tables/*.md || fail "no column of planted sentences"
if python3 -c 'import h5py' 2>/dev/null; then
    python3 - "$dir/r.h5" <<'PY' || fail "facts of a policy"
import sys, h5py
with h5py.File(sys.argv[1]) as f:
    cells = f["cells"][:]
    i = next(k for k, c in enumerate(cells) if c["method"] == b"policy" and c["replicate"] == 0)
    fact = {x["name"].decode(): x["text"].decode() for x in f["facts"][:] if x["cell"] == i}
    n = {(x["metric"].decode(), x["tensor"].decode()): int(x["n"]) for x in f["series"][:] if x["cell"] == i}
assert fact["loop_attention"] == "8 query positions of each window"
assert n["loop_attention_error", "kv"] == 30 * 9 and n["loop_attention_error_layer29", "kv"] == 9
assert n["loop_rel_mse", "key of kv"] == n["loop_rel_mse", "value of kv"] == 30 * 3
assert fact["policy"] == "p" and fact["prefill"] == "full" and fact["path"] == "scores" and fact["tensor"] == "kv"
per_token = 30 * 3
assert int(fact["window_bytes"]) == per_token * 2 * 18 * 64 * 2, fact["window_bytes"]
assert int(fact["code_bytes"]) == per_token * 46 * (68 + 34), fact["code_bytes"]
assert abs(float(fact["rate_bits"]) - 8 * (int(fact["code_bytes"]) + int(fact["window_bytes"])) / (per_token * 2 * 64 * 64)) < 1e-9
assert fact["promised_bytes"] == fact["written_bytes"] and 0 < float(fact["sparse_v_skipped"]) < 1
assert fact["codes_only"].startswith("identical") and fact["complaint"] == "none" and fact["canaries"] == "intact"
# Needles: as many in every cell, the same at full precision, and none of their bytes or reads in the facts above.
series = lambda i: {s["metric"].decode(): f["samples/value"][s["first"]:s["first"] + s["n"]] for s in f["series"][:] if s["cell"] == i}
with h5py.File(sys.argv[1]) as f:
    all_cells = [series(k) for k in range(len(cells))]
    said = {x["text"].decode() for x in f["facts"][:] if x["name"] == b"needle_text_prompts"}
assert said == {"10 needles in 10 prompts, 640 tokens in all"}, said
assert len(all_cells) == 4 and all(len(s["needle_text_delta_nll"]) == 10 for s in all_cells)
assert all((s["needle_text_full"] == all_cells[0]["needle_text_full"]).all() and not s["needle_text_control"].any() for s in all_cells)
assert abs(all_cells[i]["needle_text_delta_nll"]).max() > 0 and "needle_text_delta_nll_context1" not in all_cells[i]
assert b"window=16 sinks=2" in cells[i]["parameters"] and cells[i]["label"] == b"p"
PY
    # Prompts that are no windows add nothing to the errors by layer.
    sed 's/, needle_text//' "$dir/r.yaml" >"$dir/plain.yaml"
    expect 0 '0 failed' -- "$fq" run "$dir/plain.yaml" --out "$dir/plain.h5" --quiet
    python3 - "$dir/r.h5" "$dir/plain.h5" <<'PY' || fail "needles change the errors of a policy"
import sys, h5py
def errors(path):
    with h5py.File(path) as f:
        labels = [c["label"] for c in f["cells"][:]]
        return {(labels[s["cell"]], s["metric"], s["tensor"]): list(f["samples/value"][s["first"]:s["first"] + s["n"]]) for s in f["series"][:] if s["metric"].startswith(b"loop_")}
with_needles, without = errors(sys.argv[1]), errors(sys.argv[2])
assert without and any(b"loop_attention_error" == k[1] for k in without) and with_needles == without
PY
fi
exit "$bad"
