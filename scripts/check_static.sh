#!/usr/bin/env bash
# clang-tidy and cppcheck over every source that the project compiles. One file per clang-tidy: version 14 reports va_lists of the second file on as
# uninitialised. Usage: check_static.sh "COMPILER FLAGS".
set -euo pipefail
cd "$(dirname "$0")/.."
flags=${1:?the include paths and language flags that make passes to the compiler}
flags="$flags -DFQ_FLAGS_HASH=\"0\" -DFQ_VERSION=\"0\""
mapfile -t sources < <(git ls-files 'harness/*.c' 'methods/*.c')
plain=() llama=()
for f in "${sources[@]}"; do
    case $f in harness/data/model* | harness/data/gguf*) llama+=("$f") ;; *) plain+=("$f") ;; esac
done
run_tidy() {
    local extra=$1
    shift
    printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 bash -c 'flags=$1; shift; clang-tidy-14 --quiet "$@" -- $flags 2>/dev/null' _ "$flags $extra"
}
run_tidy "" "${plain[@]}"
[ ${#llama[@]} = 0 ] || run_tidy "${FQ_LLAMA_CFLAGS:-}" "${llama[@]}"
cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr --error-exitcode=1 --suppress=missingIncludeSystem \
    --suppress=unknownMacro -D_GNU_SOURCE -I. -j "$(nproc)" "${sources[@]}"
echo "static: clang-tidy and cppcheck have nothing to say about ${#sources[@]} files"
