#!/usr/bin/env bash
# Compares our methods with the code of others: same inputs, same codes or the same distortion. Nothing of theirs is in this tree or linked into
# fairquant; what is not installed is skipped with its reason. Usage: tests/peers/run.sh BUILD [ggml|faiss|rabitq|turboquant|kivi|llama ...]
#
# Where peers are looked for (FQ_PEERS, default ~/.cache/fairquant-peers; tests/peers/setup.sh fills it):
#   venv/                              python3 with numpy and faiss-cpu==1.15.1; torch (CPU) for kivi and turboquant here or in torch-python
#   RaBitQ-Library/                    VectorDB-NTU/RaBitQ-Library, commit 7c2d0d7
#   rabitq-turboquant-comparison/      VectorDB-NTU/rabitq-turboquant-comparison, commit bd31296
#   KIVI/                              jy-yuan/KIVI, commit 876b4d2
#   llama.cpp/bin/llama-perplexity     of the source that libllama is built from; and any of the models of scripts/setup.sh models
# and libggml-base of the pinned llama.cpp in .deps/llama. FQ_PEER_LINES names a file for the lines of the table, one JSON object each.
# Exit 0: nothing differs; 1: something does; 2: our own side does not build.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
build=${1:?the build folder: libfq_methods.a, libfq_base.a and methods/registry.o are in it}
shift
wanted=${*:-ggml faiss rabitq turboquant kivi llama}
peers=${FQ_PEERS:-$HOME/.cache/fairquant-peers}
python=$peers/venv/bin/python
[ -x "$python" ] || python=python3
torch_python=$peers/torch-python # any program that runs a python with torch and numpy; else the one above
[ -x "$torch_python" ] || torch_python=$python
export FQ_PEER=$build/peers/fq_peer FQ_PEERS=$peers
export FQ_PEER_LINES=${FQ_PEER_LINES:-$build/peers/lines.jsonl}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} PYTHONDONTWRITEBYTECODE=1
mkdir -p "$build/peers"
: >"$FQ_PEER_LINES"
failed=0

skip() {
    printf 'skipped   %s: %s\n' "$1" "$2"
    printf '{"peer": "%s", "what": "all", "inputs": "", "ours": "-", "theirs": "-", "verdict": "skipped", "note": "%s"}\n' "$1" "$2" >>"$FQ_PEER_LINES"
}
has() { "${2:-$python}" -c "import $1" 2>/dev/null; }
commit_of() { git -C "$1" rev-parse --short=7 HEAD 2>/dev/null || cat "$1/COMMIT" 2>/dev/null || echo "commit unknown"; }
ours() { # ours NAME SOURCE: links a driver of this folder with our methods
    ${CC:-cc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -O2 -ffp-contract=off -I. "$2" "$build/methods/registry.o" "$build/libfq_methods.a" \
        "$build/libfq_base.a" "${@:3}" -lnettle -lm -o "$build/peers/$1"
}

ggml() {
    [ -e .deps/llama/lib/libggml-base.so ] || { skip ggml "no .deps/llama/lib/libggml-base.so: scripts/setup.sh builds it"; return; }
    ours ggml_compare tests/peers/ggml_compare.c -L.deps/llama/lib "-Wl,-rpath,$PWD/.deps/llama/lib" -lggml-base || { failed=1; return; }
    local version status
    version=$(cut -d' ' -f1,2 .deps/llama/VERSION)
    "$build/peers/ggml_compare" >"$build/peers/ggml.txt"
    status=$?
    [ $status = 0 ] || failed=1
    while IFS=: read -r format text; do
        local verdict=equal
        [[ $text == *"every byte"* ]] || verdict=differs
        printf '%-9s ggml: %s:%s\n' "$verdict" "$format" "$text"
        printf '{"peer": "ggml of %s", "what": "%s", "inputs": "Gaussian, sparse, constant, tied, 7 lengths", "ours": "", "theirs": "", "verdict": "%s", "note": "%s"}\n' \
            "$version" "$format" "$verdict" "${text# }" >>"$FQ_PEER_LINES"
    done <"$build/peers/ggml.txt"
}
faiss() {
    has numpy || { skip faiss "no numpy in $python"; return; }
    has faiss || { skip faiss "no module faiss in $python (faiss-cpu==1.15.1)"; return; }
    "$python" tests/peers/faiss_compare.py || failed=1
}
rabitq() {
    local source=$peers/RaBitQ-Library
    has numpy || { skip RaBitQ-Library "no numpy in $python"; return; }
    [ -d "$source/include/rabitqlib" ] || { skip RaBitQ-Library "no checkout in $source"; return; }
    grep -qm1 -E 'avx2' /proc/cpuinfo || { skip RaBitQ-Library "its packing needs AVX2 or AVX-512"; return; }
    ${CXX:-c++} -std=c++17 -O2 -march=native -fopenmp -I"$source/include" tests/peers/rabitq_driver.cpp -o "$peers/rabitq_driver" 2>"$build/peers/rabitq.log" ||
        { skip RaBitQ-Library "the driver does not compile, see $build/peers/rabitq.log"; return; }
    FQ_RABITQ_DRIVER=$peers/rabitq_driver FQ_RABITQ_COMMIT=$(commit_of "$source") "$python" tests/peers/rabitq_compare.py || failed=1
}
turboquant() {
    local source=$peers/rabitq-turboquant-comparison
    [ -f "$source/accuracy/turbo_quant.py" ] || { skip "TurboQuant release" "no checkout in $source"; return; }
    has torch "$torch_python" || { skip "TurboQuant release" "no module torch in $torch_python"; return; }
    FQ_TURBOQUANT=$source/accuracy FQ_TURBOQUANT_COMMIT=$(commit_of "$source") "$torch_python" tests/peers/turboquant_compare.py || failed=1
}
kivi() {
    local source=$peers/KIVI
    [ -f "$source/quant/new_pack.py" ] || { skip KIVI "no checkout in $source"; return; }
    has torch "$torch_python" || { skip KIVI "no module torch in $torch_python"; return; }
    FQ_KIVI=$source FQ_KIVI_COMMIT=$(commit_of "$source") "$torch_python" tests/peers/kivi_compare.py || failed=1
}

llama() {
    local tool=$peers/llama.cpp/bin/llama-perplexity libraries
    [ -x "$tool" ] || { skip llama-perplexity "no $tool: tests/peers/setup.sh builds it"; return; }
    [ -e .deps/llama/lib/libllama.so ] || { skip llama-perplexity "no .deps/llama/lib/libllama.so: scripts/setup.sh builds it"; return; }
    libraries=$(printf 'include mk/flags.mk mk/detect.mk\nprint:\n\t@echo $(FQ_PKG_LIBS) $(FQ_BLAS_LIBS) $(FQ_LLAMA_LIBS)\n' |
        make -s --no-print-directory -f - print)
    # shellcheck disable=SC2086
    ${CC:-cc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -O2 -ffp-contract=off -I. tests/peers/perplexity_driver.c "$build/methods/registry.o" \
        -Wl,--start-group "$build"/libfq_{measure,data,base,methods}.a -Wl,--end-group -fopenmp -rdynamic $libraries -ldl -lm -lpthread \
        -o "$build/peers/perplexity_driver" || { failed=1; return; }
    FQ_LLAMA_PERPLEXITY=$tool FQ_PERPLEXITY_DRIVER=$build/peers/perplexity_driver "$python" tests/peers/llama_compare.py || failed=1
}

ours fq_peer tests/peers/fq_peer.c || exit 2
for peer in $wanted; do "$peer"; done
"$python" - "$FQ_PEER_LINES" <<'END'
import collections, json, sys
count = collections.Counter(json.loads(row)["verdict"] for row in open(sys.argv[1], encoding="utf-8"))
print("peers: " + ", ".join(f"{count[v]} {v}" for v in ("equal", "agrees", "within", "explained", "differs", "skipped") if count[v]))
END
exit $failed
