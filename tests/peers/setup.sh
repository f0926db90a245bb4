#!/usr/bin/env bash
# Fetches the code that tests/peers compares with, outside the tree: into FQ_PEERS (default ~/.cache/fairquant-peers). Not part of `make setup`, and
# nothing needs it but `make peers`. What cannot be had is named, and its comparison will be skipped.
set -uo pipefail
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
