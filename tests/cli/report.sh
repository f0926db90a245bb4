#!/usr/bin/env bash
# The report of a small real run: every file there and readable by the tools that it is for, replaced as a whole, refused where it would destroy something, made without gnuplot.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
fq=$fairquant

sweep "$dir/r.yaml" '  - {name: fp16}
  - {name: turboquant-mse, bits: [2, 4]}
  - {name: rabitq, bits: [2, 4]}'
sed -i 's/^metrics:.*/metrics: [distortion, inner_product, speed, bytes]/; s/^seeds:.*/seeds: [1, 2]/' "$dir/r.yaml"
expect 0 -- "$fq" run "$dir/r.yaml" --out "$dir/r.h5"
expect 0 'index.html' -- "$fq" report "$dir/r.h5" --out "$dir/report"
for f in index.html cells.csv verdicts.csv audit.txt REPORT.txt tables/bytes.md tables/bytes.tex plots/data/rate_mse.csv; do
    [ -s "$dir/report/$f" ] || fail "$f is missing"
done
grep -qE '<script|<link|<img|src=|@import|href="http' "$dir/report/index.html" && fail "index.html is not self-contained"

# the CSV files by a reader of RFC 4180: every row as long as its head, every value inside its interval
python3 - "$dir/report" <<'P' || fail "cells.csv or verdicts.csv is not what docs/formats.md says"
import csv, sys
first = "data,model,tensor,method,parameters,nominal_bits,rate_bits,metric,value,low,high,unit,n,seed_count,verdict_flags".split(",")
for name in ("cells", "verdicts"):
    with open(f"{sys.argv[1]}/{name}.csv", newline="") as f:
        rows = list(csv.reader(f))
    assert len(rows) > 1 and all(len(r) == len(rows[0]) for r in rows), name
    if name == "cells":
        assert rows[0][:15] == first, rows[0]
        numbers = 0
        for r in (dict(zip(rows[0], r)) for r in rows[1:]):
            assert (r["value"] == "") == (r["low"] == "") == (r["high"] == ""), r
            if r["value"]:
                numbers += 1
                assert float(r["low"]) <= float(r["value"]) <= float(r["high"]), r
        assert numbers > 20, numbers
P

if command -v gnuplot >/dev/null; then
    for f in rate_mse rate_gap rate_ip stage_times; do
        for kind in svg pdf; do
            [ -s "$dir/report/plots/$f.$kind" ] || fail "plots/$f.$kind is missing"
            gnuplot -c "plots/$f.gp" "$dir/report/plots/data/$f.csv" "$dir/again.$kind" "$kind" 2>"$dir/gp.txt" || { fail "$f.gp cannot be run by hand"; cat "$dir/gp.txt" >&2; }
            [ -s "$dir/gp.txt" ] && { fail "$f.gp warns"; head -n 3 "$dir/gp.txt" >&2; }
        done
    done
fi

# no model was run, so there is no section of one
grep -q 'id="model' "$dir/report/index.html" && fail "a report without model cells has a section of models"

# a section for each model: every figure that was measured, a sentence for what was not
"$fq" env >"$dir/env.txt" 2>&1
if [ -f datasets/files/smollm2-135m.gguf ] && grep -qi 'libllama' "$dir/env.txt" && ! grep -qi 'libllama.*absent' "$dir/env.txt"; then
    seq 1 400 >"$dir/text.txt"
    model="model: smollm2-135m, corpus: $dir/text.txt, context: 20, chunks: 2, tensors"
    cat >"$dir/m.yaml" <<Y
name: sections
contract: matched-cpu
seeds: [1]
workers: 2
models: [{$model: [key]}, {$model: [value]}]
metrics: [perplexity]
methods: [{name: turboquant-mse, bits: [2, 4]}]
Y
    cat >"$dir/p.yaml" <<Y
name: sections-policies
contract: matched-cpu
seeds: [1]
workers: 2
models: [{$model: [key, value]}]
metrics: [perplexity]
policies: [{name: sparse, key: {name: q8_0}, value: {name: q8_0}, sparse_v: [0, 1.0e-2]}]
Y
    expect 0 -- "$fq" run "$dir/m.yaml" --out "$dir/m.h5"
    expect 0 -- "$fq" run "$dir/p.yaml" --out "$dir/p.h5"
    expect 0 'index.html' -- "$fq" report "$dir/m.h5" "$dir/p.h5" --out "$dir/sections"
    expect 0 'index.html' -- "$fq" report "$dir/m.h5" --out "$dir/section"
    [ "$(grep -c '<section id="model-' "$dir/sections/index.html")" = 1 ] || fail "one model and text: one section"
    grep -q 'Not measured in this run' "$dir/sections/index.html" && fail "a section that lacks nothing says that it does"
    grep -q 'Not measured in this run: a policy that skips values (sparse_v)\.' "$dir/section/index.html" || fail "a section does not say what it lacks"
    for f in rate position layers kv sparse; do
        csv=$(ls "$dir/sections/plots/data/model_$f-"*.csv)
        [ -s "$csv" ] || fail "no data of model_$f"
        command -v gnuplot >/dev/null || continue
        for kind in svg pdf; do
            name=$(basename "$csv" .csv)
            [ -s "$dir/sections/plots/$name.$kind" ] || fail "plots/$name.$kind is missing"
            gnuplot -c "plots/model_$f.gp" "$csv" "$dir/again.$kind" "$kind" 2>"$dir/gp.txt" || { fail "model_$f.gp cannot be run by hand"; cat "$dir/gp.txt" >&2; }
            [ -s "$dir/gp.txt" ] && { fail "model_$f.gp warns"; head -n 3 "$dir/gp.txt" >&2; }
        done
        grep -q "id=\"plot-model_$f-" "$dir/sections/index.html" || fail "model_$f is not on the page"
    done
    absent "$dir/section/plots/data/"model_sparse-*
else
    echo "no section of a model: this build has no libllama, or datasets/files no smollm2-135m.gguf (make setup)"
fi

# replaced as a whole; nothing of ours beside it
touch "$dir/report/stale.txt"
expect 0 -- "$fq" report "$dir/r.h5" --out "$dir/report"
absent "$dir/report/stale.txt" "$dir"/report.tmp.*

# the same input, the same report: what is estimated and printed draws from named streams
cp "$dir/report/cells.csv" "$dir/first.csv"
expect 0 -- "$fq" report "$dir/r.h5" --out "$dir/report"
cmp -s "$dir/first.csv" "$dir/report/cells.csv" || fail "two reports of one file differ"

# without gnuplot: whole but for the plots, and it says so in both places
mkdir "$dir/empty"
expect 0 'gnuplot is not installed' -- env PATH="$dir/empty" "$fq" report "$dir/r.h5" --out "$dir/bare"
grep -q 'gnuplot is not installed' "$dir/bare/index.html" || fail "the page does not say why plots are absent"
absent "$dir/bare/plots/rate_mse.svg"

# what it refuses
mkdir "$dir/mine" && touch "$dir/mine/thesis.tex"
expect 2 'nothing was touched' -- "$fq" report "$dir/r.h5" --out "$dir/mine"
[ -e "$dir/mine/thesis.tex" ] || fail "a directory that is no report was touched"
expect 2 'found a file' -- "$fq" report "$dir/r.h5" --out "$dir/r.yaml"
expect 2 'out is missing' -- "$fq" report "$dir/r.h5"
expect 2 'no such' -- "$fq" report "$dir/none.h5" --out "$dir/none"
absent "$dir/none" "$dir"/none.tmp.*
exit "$bad"
