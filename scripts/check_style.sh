#!/usr/bin/env bash
# Form: clang-format 14, no file over 600 lines, nothing left open in the code, methods.def sorted, committed reports with their marker, shell scripts
# clean.
set -euo pipefail
cd "$(dirname "$0")/.."
bad=0
complain() { printf '%s\n' "$1" >&2; bad=1; }
mapfile -t sources < <(git ls-files '*.c' '*.h' '*.cu')
clang-format-14 --dry-run -Werror "${sources[@]}" || complain "not formatted: run make format"
while read -r n file; do
    [ "$file" = total ] || [ "$n" -le 600 ] || complain "$file has $n lines: over 600 it is two ideas"
done < <(git ls-files '*.c' '*.h' '*.cu' '*.sh' '*.gp' '*.py' | xargs wc -l)
open=$(git grep -nE '\b(TODO|FIXME|XXX|HACK)\b|#if 0' -- '*.c' '*.h' '*.cu' '*.sh' '*.yaml' ':!scripts/check_style.sh' || true)
[ -z "$open" ] || complain "left open: $open"
grep -oE '^FQ_METHOD\([a-z0-9_]+\)' methods/methods.def | LC_ALL=C sort -c || complain "methods.def is not sorted"
while read -r folder; do # a report is replaced only where the marker says that it is one: without it `make reproduce` refuses
    [ "$(git show ":$folder/REPORT.txt" 2>/dev/null | head -n 1)" = fairquant/report/1 ] || complain "$folder has no REPORT.txt: no new report could replace it"
done < <(git ls-files 'results/*/report/*' | cut -d/ -f1-3 | sort -u)
if command -v shellcheck >/dev/null; then
    git ls-files '*.sh' .ci/run | xargs shellcheck -S warning || complain "shellcheck found something"
fi
[ "$bad" = 0 ] && echo "style: formatted, no file over 600 lines, nothing left open"
exit "$bad"
