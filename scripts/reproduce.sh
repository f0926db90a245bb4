#!/usr/bin/env bash
# Everything from a built program to the report: capture if needed, run (resumes where it stopped), audit, judge, report.
# Usage: reproduce.sh FAIRQUANT SWEEP.yaml OUT
set -euo pipefail
fairquant=$1 sweep=$2 out=$3
files=${FQ_DATA:-datasets/files}
raw=$out/raw results=$out/raw/$(basename "$sweep" .yaml).h5
mkdir -p "$raw"
step() { printf '\n== %s\n' "$1" >&2; }
began=$(date +%s)

step "1/5 capture: keys, values and queries of the model on the corpus (about a minute)"
# float32, so that the rows of fp16 show their own rounding and not that of the file
kv=$files/smollm2-135m-jargon.h5
if [ -f "$kv" ]; then
    echo "  present: $kv" >&2
else
    "$fairquant" capture --model smollm2-135m --corpus jargon --tokens 4096 --dtype float32 --out "$kv"
fi

step "2/5 run: $sweep"
"$fairquant" plan "$sweep" | sed -n 1,14p >&2
status=0
if [ -f "$results" ]; then
    "$fairquant" run "$sweep" --out "$results" --resume || status=$?
elif [ -d "$results.journal" ]; then
    "$fairquant" run "$sweep" --out "$results" --resume || status=$?
else
    "$fairquant" run "$sweep" --out "$results" || status=$?
fi
[ "$status" -le 1 ] || exit "$status"

step "3/5 audit: was it fair?"
"$fairquant" audit "$results" || status=1

step "4/5 judge: the claims"
"$fairquant" judge "$results" --out "$out/verdicts.json"

step "5/5 report"
"$fairquant" report "$results" --out "$out/report"
printf '\nDone in %d minutes. Open %s/report/index.html\n' $((($(date +%s) - began + 30) / 60)) "$out" >&2
exit "$status"
