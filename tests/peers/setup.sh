#!/usr/bin/env bash
# Fetches the code that tests/peers compares with, outside the tree: into FQ_PEERS (default ~/.cache/fairquant-peers). Not part of `make setup`, and
# nothing needs it but `make peers`. What cannot be had is named, and its comparison will be skipped.
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
peers=${FQ_PEERS:-$HOME/.cache/fairquant-peers}
mkdir -p "$peers"
cd "$peers" || exit 2
[ -x venv/bin/python ] || python3 -m venv venv
venv/bin/pip install --quiet numpy h5py "faiss-cpu==1.15.1" || echo "no faiss-cpu: the comparison with faiss will be skipped"
venv/bin/python -c "import torch" 2>/dev/null ||
    [ -x torch-python ] ||
    echo "no torch in $peers/venv: KIVI and the TurboQuant release will be skipped; any CPU build of torch will do (Debian: python3-torch), named by $peers/torch-python"
checkout() { # checkout OWNER NAME COMMIT
    [ -d "$2" ] && return
    git clone --quiet "https://github.com/$1/$2" "$2" 2>/dev/null && git -C "$2" checkout --quiet "$3" ||
        echo "no $1/$2: put a checkout of commit $3 into $peers/$2"
}
checkout VectorDB-NTU RaBitQ-Library 7c2d0d7
checkout VectorDB-NTU rabitq-turboquant-comparison bd31296
checkout jy-yuan KIVI 876b4d2
# llama.cpp's perplexity tool, from the very source that scripts/setup.sh builds libllama from, and with its flags; ten minutes on two cores.
llama_perplexity() {
    [ -x llama.cpp/bin/llama-perplexity ] && return
    local sdist
    sdist=$(ls "$root"/.deps/llama_cpp_python-*.tar.gz 2>/dev/null | tail -n 1)
    [ -n "$sdist" ] || { echo "no llama-perplexity: run scripts/setup.sh first, with FQ_OWN_LLAMA=1 if this system has a libllama; it fetches the source"; return; }
    local work
    work=$(mktemp -d "$peers/.llama.XXXXXX") || return
    tar -xzf "$sdist" -C "$work" --strip-components=2 --wildcards '*/vendor/llama.cpp' &&
        cmake -S "$work/llama.cpp" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON -DGGML_NATIVE=OFF -DGGML_OPENMP=OFF \
            -DGGML_CCACHE=OFF -DLLAMA_BUILD_COMMON=ON -DLLAMA_BUILD_TOOLS=ON -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF \
            -DLLAMA_BUILD_APP=OFF -DLLAMA_OPENSSL=OFF -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON '-DCMAKE_INSTALL_RPATH=$ORIGIN' >"$peers/llama-build.log" 2>&1 &&
        cmake --build "$work/build" --target llama-perplexity >>"$peers/llama-build.log" 2>&1 &&
        mkdir -p llama.cpp && mv "$work/build/bin" llama.cpp/bin ||
        echo "llama-perplexity did not build; the log is $peers/llama-build.log"
    rm -rf "$work"
}
llama_perplexity
