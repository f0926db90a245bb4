#!/usr/bin/env bash
# docs/adding-a-method.md, followed to the letter: its shell blocks of steps 1, 2 and the test of step 4 run in a copy of the sources, and the copied method
# must compile without a warning and pass its tests. Then its plug-in, from the page's own C block and compiler line.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tests"
cp -r Makefile mk scripts harness methods "$work/"
cp -r tests/support "$work/tests/"
page=$root/docs/adding-a-method.md
cd "$work"

# block LANGUAGE N: the N-th fenced block of that language
block() {
    awk -v want="\`\`\`$1" -v n="$2" '$0 == want { inside = ++seen == n; next } /^```/ { inside = 0 } inside' "$page"
}
for n in 1 2 3; do
    [ -n "$(block sh $n)" ] || { echo "the page has no shell block $n"; exit 1; }
done
{ echo 'set -euo pipefail'; block sh 1; block sh 2; block sh 3; } >steps.sh
bash steps.sh
[ "$(grep -c '^FQ_METHOD(absmax)$' methods/methods.def)" = 1 ] || { echo "absmax is not in methods.def"; exit 1; }
tail -n +2 methods/methods.def | LC_ALL=C sort -c
if grep -rniE 'example' methods/absmax; then echo "the copy still speaks of the template's name"; exit 1; fi

block c 1 >plugin.c
block sh 6 | sed -n '/^cc /,/-lm$/p' >plugin.sh
bash -e plugin.sh
grep -q ' fq_plugin$' <<<"$(nm -D --defined-only absmax.so)" || { echo "absmax.so exports no fq_plugin"; exit 1; }

# The plug-in is used: the page skips step 2 for it, and the program of this checkout holds no absmax. Fair: nothing that it brings along is bound to the program.
fairquant=${FAIRQUANT:-$root/build-san/fairquant}
[ -x "$fairquant" ] || fairquant=$root/build/fairquant
export FQ_HOME=$root
"$fairquant" list methods --plugin ./absmax.so >list.txt
grep -q '^absmax ' list.txt || { echo "list methods --plugin does not show absmax"; exit 1; }
cat >tiny.yaml <<'Y'
name: tiny
contract: matched-cpu
threads: 1
seeds: [1]
repetitions: {processes: 1, blocks: 1}
data:
  - {generate: sphere, vectors: [64], dim: [64]}
metrics: [distortion, bytes]
methods:
  - {name: absmax, bits: 4}
  - {name: turboquant-mse, bits: 4}
Y
"$fairquant" run tiny.yaml --out tiny.h5 --plugin ./absmax.so
"$fairquant" audit tiny.h5 >audit.txt || { echo "the audit objects to the page's plug-in:"; cat audit.txt; exit 1; }
echo "the page leads to a tested method and to a plug-in that the audit finds fair"
