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
