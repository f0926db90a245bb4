#!/usr/bin/env bash
# Sets up what fairquant needs, each step named, checked by SHA-256 and skipped when done: Debian packages, libllama from its pinned source, the default
# model, the default corpus. Offline with everything in place it does nothing and succeeds. It ends in one sentence when it cannot go on, and leaves
# no half-made file: everything is made beside its place and renamed into it.
#
#   scripts/setup.sh            packages to build and run, libllama, model, corpus
#   scripts/setup.sh test       the same, and the compiler of the fuzzer (clang 14) where this system has it
#   scripts/setup.sh check      all that, and the tools of `make check` (clang-format 14, clang-tidy 14, cppcheck, valgrind)
#   scripts/setup.sh models     every model of datasets/manifest.yaml (2 GB); one model: scripts/setup.sh NAME
#   scripts/setup.sh wikitext   WikiText-2 from its upstream address (tests read it from the folder named by FQ_MIRROR)
set -euo pipefail
cd "$(dirname "$0")/.."

readonly LLAMA_PACKAGE=llama-cpp-python LLAMA_VERSION=0.3.36
readonly LLAMA_SHA256=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e
readonly BUILD_PACKAGES="build-essential pkg-config cmake ninja-build python3 python3-pip python3-venv unzip binutils
    libopenblas-openmp-dev libhdf5-dev libcyaml-dev libyaml-dev libhwloc-dev libjansson-dev nettle-dev libcmocka-dev gnuplot-nox"
readonly FUZZ_PACKAGES="clang-14 libclang-rt-14-dev"
readonly CHECK_PACKAGES="$FUZZ_PACKAGES clang-format-14 clang-tidy-14 cppcheck valgrind"
readonly FILES=${FQ_DATA:-datasets/files}

say() { printf '  %-12s %s\n' "$1" "$2" >&2; }
die() { printf 'setup: %s\n' "$1" >&2; exit 2; }

work=
trap '[ -z "$work" ] || rm -rf "$work"' EXIT
# A scratch folder on the same file system as the result, so that the last step is a rename.
scratch() {
    mkdir -p "$1"
    work=$(mktemp -d "$1/.setup.XXXXXX") || die "cannot write into $1: make it writable or free some space there"
}
drop_scratch() { rm -rf "$work"; work=; }

need_space() { # folder, MiB, what for
    mkdir -p "$1"
    local free
    free=$(df -Pm "$1" | awk 'NR == 2 {print $4}')
    [ "$free" -ge "$2" ] || die "$3 needs $2 MiB in $1 and only $free MiB are free: free some space there and run this again"
}

check_sha() { # file, expected, what to say if it differs
    local found
    found=$(sha256sum "$1" | cut -d' ' -f1)
    [ "$found" = "$2" ] || die "wrong hash: $3: expected SHA-256 $2, found $found; remove it if it is there and run this again; if it stays so, its source has changed"
}

manifest() { # name, key: one value of datasets/manifest.yaml
    awk -v name="$1" -v key="$2:" '$1 == "-" && $2 == "name:" {on = $3 == name}
        on && $1 == key {sub(/^[^:]*:[ ]*/, ""); gsub(/^"|"$/, ""); print; exit}' datasets/manifest.yaml
}

as_root() { # runs a command as root, or says the line to type
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo "$@"
    else
        die "missing: $missing; this user is not root, so type this line, then run this script again: sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends $missing'"
    fi
}

packages() { # list, what they are (default: packages)
    local what=${2:-packages}
    missing=
    local p
    for p in $1; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing="$missing $p"
    done
    missing=${missing# }
    if [ -z "$missing" ]; then
        say "$what" "all installed"
        return
    fi
    command -v apt-get >/dev/null || die "these packages are missing and this is no Debian system: $missing; install their equivalents"
    say "$what" "missing: $missing"
    as_root apt-get -qq update >&2 || die "apt-get update failed: check the network and /etc/apt/sources.list"
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null ||
        die "apt-get could not install: $missing"
}

# pip's last line speaks of a version that was not found even when nothing was reached; the line that tells is an earlier one.
why_pip_failed() { # package, log
    local line
    line=$(sed -n "s/.*connection broken by '\(.*\)': .*/\1/p; s/.*\(HTTP error [0-9].*\)/\1/p" "$2" | sed 's/.*>: //; s/^[A-Za-z]*(.//' | tail -n 1)
    if [ -n "$line" ]; then
        printf "the Python package index could not be reached for %s (%s): check the network or the proxy" "$1" "${line%%\'*}"
    elif grep -q 'from versions: none' "$2"; then
        printf 'the Python package index could not be reached, or it does not have %s: check the network or the proxy' "$1"
    else
        printf 'could not fetch %s from the Python package index (%s)' "$1" "$(tail -n 1 "$2")"
    fi
}

# pip as a plain downloader: data and source packages are unpacked, never imported.
fetch_pip() { # folder, package==version, extra arguments
    local into=$1 what=$2
    shift 2
    python3 -m pip --version >/dev/null 2>&1 || die "python3 has no pip module: apt-get install python3-pip"
    python3 -m pip download -q --disable-pip-version-check --no-deps -d "$into" "$@" "$what" >"$into/pip.log" 2>&1 ||
        die "$(why_pip_failed "$what" "$into/pip.log"); or $hint"
}

llama_failed() {
    cp "$work/build.log" .deps/llama-build.log
    die "libllama did not build; the log is .deps/llama-build.log; everything else still works without it"
}

llama() {
    if [ -f .deps/llama/VERSION ] && [ "$(cat .deps/llama/VERSION)" = "$LLAMA_PACKAGE $LLAMA_VERSION $LLAMA_SHA256" ]; then
        say libllama "present (source of $LLAMA_PACKAGE $LLAMA_VERSION)"
        return
    fi
    if [ -z "${FQ_OWN_LLAMA:-}" ] && pkg-config --exists llama 2>/dev/null; then
        say libllama "using the system's (set FQ_OWN_LLAMA=1 to build the pinned one)"
        return
    fi
    need_space .deps 1500 "building libllama"
    scratch .deps
    local sdist=.deps/${LLAMA_PACKAGE//-/_}-$LLAMA_VERSION.tar.gz
    if [ ! -f "$sdist" ]; then
        say libllama "fetching the pinned source (77 MB)"
        hint="get the source package (sdist) of $LLAMA_PACKAGE $LLAMA_VERSION elsewhere and put it there as $PWD/$sdist (SHA-256 $LLAMA_SHA256)"
        fetch_pip "$work" "$LLAMA_PACKAGE==$LLAMA_VERSION" --no-binary :all:
        mv "$work/${sdist#.deps/}" "$sdist"
    fi
    check_sha "$sdist" "$LLAMA_SHA256" "$sdist (source of $LLAMA_PACKAGE $LLAMA_VERSION)"
    say libllama "building (about two to three minutes on two cores)"
    tar -xzf "$sdist" -C "$work" --strip-components=2 "${LLAMA_PACKAGE//-/_}-$LLAMA_VERSION/vendor/llama.cpp"
    # AVX2 and no more, so that the full-precision perplexity is the same on every machine; no OpenMP, so that its threads are not our pool's.
    # shellcheck disable=SC2016 # $ORIGIN is for the loader
    cmake -S "$work/llama.cpp" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON -DGGML_NATIVE=OFF -DGGML_OPENMP=OFF \
        -DGGML_CCACHE=OFF -DLLAMA_BUILD_COMMON=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
        -DLLAMA_BUILD_SERVER=OFF -DLLAMA_CURL=OFF -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON '-DCMAKE_INSTALL_RPATH=$ORIGIN' >"$work/build.log" 2>&1 || llama_failed
    cmake --build "$work/build" --target llama >>"$work/build.log" 2>&1 || llama_failed
    mkdir -p "$work/llama/include" "$work/llama/lib"
    cp "$work"/llama.cpp/include/*.h "$work"/llama.cpp/ggml/include/*.h "$work/llama/include/"
    cp -a "$work"/build/bin/lib*.so* "$work/llama/lib/"
    cp "$work/llama.cpp/LICENSE" "$work/llama/"
    printf '%s %s %s\n' "$LLAMA_PACKAGE" "$LLAMA_VERSION" "$LLAMA_SHA256" >"$work/llama/VERSION"
    rm -rf .deps/llama
    mv "$work/llama" .deps/llama
    drop_scratch
    say libllama "built"
}

have() { # name of a manifest entry: present with the right hash?
    local file
    file=$FILES/$(manifest "$1" file)
    [ -f "$file" ] || return 1
    check_sha "$file" "$(manifest "$1" sha256)" "$file ($1)"
    say "$1" "present"
}

# A model is one GGUF file in one package, or the parts of one in the packages %d = 1 .. `parts` of the manifest, one file `member` in each. Every
# package goes as soon as its file is appended, so the space is that of the model and of one package.
model() { # name
    have "$1" && return
    local package parts member bytes file sha i into
    package=$(manifest "$1" package) parts=$(manifest "$1" parts) member=$(manifest "$1" member)
    bytes=$(manifest "$1" bytes) file=$(manifest "$1" file) sha=$(manifest "$1" sha256)
    parts=${parts:-1} member=${member:-*.gguf}
    need_space "$FILES" $((bytes / 1048576 + bytes / parts / 1048576 + 150)) "the model $1"
    scratch "$FILES"
    if [ "$parts" = 1 ]; then
        say "$1" "fetching ($((bytes / 1048576)) MiB)"
        hint="get the package $package elsewhere and put the GGUF file in it there as $FILES/$file (SHA-256 $sha)"
    else
        hint="get the packages ${package/\%d/1} to ${package/\%d/$parts} elsewhere, unpack them, join their files $member in that order and put the result there as $FILES/$file (SHA-256 $sha)"
    fi
    for i in $(seq "$parts"); do
        [ "$parts" = 1 ] || say "$1" "fetching part $i of $parts ($((bytes / 1048576)) MiB in all)"
        into=$work/part
        mkdir "$into"
        fetch_pip "$into" "${package/\%d/$i}"
        unzip -q -j "$into"/*.whl "$member" -d "$into/data" 2>/dev/null || die "the package ${package/\%d/$i} holds no file $member: its content has changed; $hint"
        [ "$(find "$into/data" -type f | wc -l)" = 1 ] || die "the package ${package/\%d/$i} holds more than one file $member: its content has changed; $hint"
        cat "$into"/data/* >>"$work/model.gguf"
        rm -rf "$into"
    done
    [ "$parts" = 1 ] || say "$1" "joined, checking"
    check_sha "$work/model.gguf" "$sha" "the model in the package $package, as fetched"
    mv "$work/model.gguf" "$FILES/$file"
    drop_scratch
    say "$1" "in place"
}

models() { # the names of all models of the manifest
    awk '$1 == "-" && $2 == "name:" {name = $3} $1 == "kind:" && $2 == "model" {print name}' datasets/manifest.yaml
}

corpus() {
    have jargon && return
    need_space "$FILES" 20 "the corpus"
    scratch "$FILES"
    say jargon "fetching (0.7 MB)"
    local package=$PWD
    package=$(manifest jargon package)
    (cd "$work" && chmod 777 . && apt-get -qq download "$package" >apt.log 2>&1) ||
        { apt-get -qq update >/dev/null 2>&1 && (cd "$work" && apt-get -qq download "$package" >apt.log 2>&1); } ||
        die "could not fetch the Debian package $package ($(tail -n 1 "$work/apt.log")): check the network and /etc/apt/sources.list, or unpack /usr/share/doc/jargon-text/jargon.txt.gz of that package elsewhere and put it there as $FILES/$(manifest jargon file) (SHA-256 $(manifest jargon sha256))"
    dpkg-deb -x "$work"/*.deb "$work/deb"
    gzip -dc "$(find "$work/deb" -name jargon.txt.gz)" >"$work/jargon.txt"
    check_sha "$work/jargon.txt" "$(manifest jargon sha256)" "the corpus in the Debian package $package, as fetched"
    mv "$work/jargon.txt" "$FILES/$(manifest jargon file)"
    drop_scratch
    say jargon "in place"
}

wikitext() {
    local file url
    file=$(manifest wikitext-2 file)
    if [ -n "${FQ_MIRROR:-}" ] && [ -f "$FQ_MIRROR/$file" ]; then
        check_sha "$FQ_MIRROR/$file" "$(manifest wikitext-2 sha256)" "$FQ_MIRROR/$file"
        say wikitext-2 "present in $FQ_MIRROR"
        return
    fi
    have wikitext-2 && return
    url=$(manifest wikitext-2 url)
    scratch "$FILES"
    say wikitext-2 "fetching from $url"
    python3 -c 'import sys, urllib.request; urllib.request.urlretrieve(sys.argv[1], sys.argv[2])' "$url" "$work/archive.zip" 2>/dev/null ||
        die "could not reach $url: check the network, or get wiki.test.raw of wikitext-2-raw-v1 elsewhere and put it there as $FILES/$file (SHA-256 $(manifest wikitext-2 sha256)), or set FQ_MIRROR to the folder that holds $file"
    unzip -q -j "$work/archive.zip" '*wiki.test.raw' -d "$work" || die "the archive at $url holds no wiki.test.raw"
    check_sha "$work/wiki.test.raw" "$(manifest wikitext-2 sha256)" "wiki.test.raw of $url, as fetched"
    mkdir -p "$FILES/$(dirname "$file")"
    mv "$work/wiki.test.raw" "$FILES/$file"
    drop_scratch
}

case "${1:-all}" in
all | test | check)
    packages "$BUILD_PACKAGES$([ "${1:-}" != check ] || printf ' %s' "$CHECK_PACKAGES")"
    # Not every system has this clang, and the other tests need none.
    [ "${1:-}" != test ] || (packages "$FUZZ_PACKAGES" fuzzer) || say fuzzer "no clang 14: its test will be skipped"
    llama
    model smollm2-135m
    corpus
    ;;
models) for name in $(models); do model "$name"; done ;;
wikitext | wikitext-2) wikitext ;;
jargon) corpus ;;
*)
    models | grep -qxF -e "$1" || die "unknown step '$1': expected nothing, test, check, models, wikitext or the name of a model: $(models | paste -sd ' ')"
    model "$1"
    ;;
esac
