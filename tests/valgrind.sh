#!/usr/bin/env bash
# Memcheck over the smoke sweep (one process, definite leaks and errors only; OpenMP's own pools stay reachable). Usage: valgrind.sh FAIRQUANT
set -euo pipefail
cd "$(dirname "$0")/.."
fairquant=$(realpath "${1:-build/fairquant}")
export FQ_HOME=$PWD OMP_NUM_THREADS=1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
memcheck() { valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite --suppressions=tests/valgrind.supp "$@"; }
memcheck "$fairquant" run configs/smoke-valgrind.yaml --out "$out/v.h5"
memcheck "$fairquant" audit "$out/v.h5"
memcheck "$fairquant" judge "$out/v.h5" --out "$out/v.json"
memcheck "$fairquant" report "$out/v.h5" --out "$out/report"
echo "valgrind: run, audit, judge and report are clean"
