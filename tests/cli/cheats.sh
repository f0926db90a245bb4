#!/usr/bin/env bash
# The audit names what each plug-in of tests/cheats does, under each kind of sweep alone, and finds nothing in the honest one. Needs `make cheats`.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
fq=$fairquant
plugins=$(dirname "$fq")/cheats
shared=/dev/shm/fairquant-cheat-shared-memory # what one of them leaves behind
trap '[ -z "$mounted" ] || umount "$mounted"; rm -rf "$dir" "$shared"' EXIT

# A run of q8_0 and some plug-ins, each in a rate class of its own; a few in one run, so that the test ends in a minute or two.
run_plugins() { # NAME METRIC FILE...
    local name=$1 metric=$2 what methods='' file load=()
    shift 2
    for file in "$@"; do
        [ -f "$plugins/$file.so" ] || fail "no plug-in $plugins/$file.so (make cheats)"
        load+=(--plugin "$plugins/$file.so")
        methods+="  - {name: ${method_of[$file]}, rate_class: $file}"$'\n'
    done
    if [ "$metric" = perplexity ]; then
        what='models:
  - {model: smollm2-135m, corpus: jargon, context: 64, chunks: 2, tensors: [key]}'
    else
        what='data:
  - {generate: sphere, vectors: [400], dim: [64]}'
    fi
    cat >"$dir/$name.yaml" <<Y
name: cheat
contract: matched-cpu
threads: 1
seeds: [1]
repetitions: {processes: 1, blocks: 1}
$what
metrics: [$metric]
methods:
  - {name: q8_0, rate_class: other}
$methods
Y
    expect 0 -- "$fq" run "$dir/$name.yaml" "${load[@]}" --out "$dir/$name.h5"
}
declare -A method_of=([honest]=honest [spawns_thread]=spawns-a-thread [keeps_floats_aside]=keeps-floats-aside [writes_past_buffer]=writes-past-buffer
    [caches_by_pointer]=caches-by-pointer [reads_clock]=reads-the-clock [allocates]=allocates [writes_shared]=writes-shared
    [promises_less]=promises-less [remembers_scratch]=remembers-scratch [honest_when_small]=honest-when-small [shared_memory]=shared-memory)

caught() { # METRIC FILE:FACT,FACT...: of each plug-in each fact is named as unfair, with the method behind it
    local metric=$1 files=() file fact
    shift
    for file in "$@"; do files+=("${file%%:*}"); done
    run_plugins "cheats-$metric" "$metric" "${files[@]}"
    expect 1 -- "$fq" audit "$dir/cheats-$metric.h5"
    for file in "$@"; do
        for fact in $(tr , ' ' <<<"${file#*:}"); do
            grep -E -A1 "UNFAIR +$fact " "$dir/out.txt" >"$dir/found.txt"
            grep -qE -- "${method_of[${file%%:*}]}" "$dir/found.txt" || fail "the audit under $metric alone does not blame ${file%%:*} by $fact"
        done
    done
    rm -f "$dir/cheats-$metric.h5"
}
honest_passes() { # METRIC
    run_plugins "honest-$1" "$1" honest
    expect 0 'fair' 'codes_only' -- "$fq" audit "$dir/honest-$1.h5"
}

# A second thread that lives for microseconds is seen by the watcher only where the work goes on for long enough.
for metric in distortion speed; do
    caught "$metric" keeps_floats_aside:codes_only caches_by_pointer:codes_only
    caught "$metric" remembers_scratch:codes_only honest_when_small:codes_only
    caught "$metric" shared_memory:codes_only reads_clock:imports allocates:imports writes_shared:shared_state
    threads=imports
    [ "$metric" = speed ] && threads=imports,threads_alive
    caught "$metric" "spawns_thread:$threads" writes_past_buffer:canaries,written_bytes promises_less:canaries,written_bytes
    honest_passes "$metric"
done

"$fq" env >"$dir/env.txt"
if [ -f datasets/files/smollm2-135m.gguf ] && grep -qi 'libllama' "$dir/env.txt" && ! grep -qi 'libllama.*absent' "$dir/env.txt"; then
    caught perplexity keeps_floats_aside:codes_only honest_when_small:codes_only
    honest_passes perplexity
else
    echo "note: no libllama or no smollm2-135m here (make setup): no cheat was tried under perplexity"
fi

# conformance sees through them too, and passes the honest one
expect 1 'promises-less' -- "$fq" verify --quick --plugin "$plugins/promises_less.so" promises-less
expect 1 'remembers-scratch' -- "$fq" verify --quick --plugin "$plugins/remembers_scratch.so" remembers-scratch
expect 1 'as large as a gate' -- "$fq" verify --quick --plugin "$plugins/honest_when_small.so" honest-when-small
expect 1 'as large as a gate' -- "$fq" verify --quick --plugin "$plugins/shared_memory.so" shared-memory
expect 0 'passes' -- "$fq" verify --quick --plugin "$plugins/honest.so" honest
exit "$bad"
