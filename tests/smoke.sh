#!/usr/bin/env bash
# The smallest sweep through every floor: generate, encode, measure, audit, judge, report. Usage: smoke.sh FAIRQUANT
set -euo pipefail
cd "$(dirname "$0")/.."
fairquant=$(realpath "${1:-build/fairquant}")
export FQ_HOME=$PWD
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$fairquant" plan configs/smoke.yaml >"$out/plan.txt"
"$fairquant" run configs/smoke.yaml --out "$out/smoke.h5"
"$fairquant" audit "$out/smoke.h5"
"$fairquant" judge "$out/smoke.h5" --out "$out/verdicts.json"
"$fairquant" report "$out/smoke.h5" --out "$out/report"
rows=$(wc -l <"$out/report/cells.csv")
[ "$rows" -gt 20 ] || { echo "smoke: the report holds only $rows rows" >&2; exit 1; }
IFS= read -r header <"$out/report/cells.csv"
grep -q '^data,model,tensor,method,parameters,nominal_bits,rate_bits,metric,value,low,high,unit,n,seed_count,verdict_flags' <<<"$header" ||
    { echo "smoke: cells.csv lacks its columns" >&2; exit 1; }
grep -q 'class' "$out/report/index.html"
echo "smoke: $rows rows"
