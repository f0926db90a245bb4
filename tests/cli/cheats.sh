#!/usr/bin/env bash
# The audit names what each plug-in of tests/cheats does, under each kind of sweep alone, and finds nothing in the honest one. Needs `make cheats`.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
fq=$fairquant
plugins=$(dirname "$fq")/cheats
shared=/dev/shm/fairquant-cheat-shared-memory # what one of them leaves behind
trap '[ -z "$mounted" ] || umount "$mounted"; rm -rf "$dir" "$shared"' EXIT

run_plugin() { # FILE METHOD METRIC
    local what
    [ -f "$plugins/$1.so" ] || fail "no plug-in $plugins/$1.so (make cheats)"
    if [ "$3" = perplexity ]; then
        what='models:
  - {model: smollm2-135m, corpus: jargon, context: 64, chunks: 2, tensors: [key]}'
    else
        what='data:
  - {generate: sphere, vectors: [400], dim: [64]}'
    fi
    cat >"$dir/$1-$3.yaml" <<Y
name: cheat
contract: matched-cpu
threads: 1
seeds: [1]
repetitions: {processes: 1, blocks: 1}
$what
metrics: [$3]
methods:
  - {name: q8_0, rate_class: other}
  - {name: $2, rate_class: plug-in}
Y
    expect 0 -- "$fq" run "$dir/$1-$3.yaml" --plugin "$plugins/$1.so" --out "$dir/$1-$3.h5"
}
caught() { # METRIC FILE METHOD FACT...: each fact is named as unfair, and the method with it
    local metric=$1 file=$2 method=$3 fact
    shift 3
    run_plugin "$file" "$method" "$metric"
    expect 1 "$method" -- "$fq" audit "$dir/$file-$metric.h5"
    for fact in "$@"; do
        grep -qE "UNFAIR +$fact " "$dir/out.txt" "$dir/err.txt" || fail "the audit of $file under $metric alone does not name $fact"
    done
}
# A second thread that lives for microseconds is seen where the work goes on for long enough.
caught distortion spawns_thread spawns-a-thread imports
caught speed spawns_thread spawns-a-thread threads_alive imports

for metric in distortion speed; do
    caught "$metric" keeps_floats_aside keeps-floats-aside codes_only
    caught "$metric" writes_past_buffer writes-past-buffer canaries written_bytes
    caught "$metric" caches_by_pointer caches-by-pointer codes_only
    caught "$metric" reads_clock reads-the-clock imports
    caught "$metric" allocates allocates imports
    caught "$metric" writes_shared writes-shared shared_state
    caught "$metric" promises_less promises-less written_bytes canaries
    caught "$metric" remembers_scratch remembers-scratch codes_only
    caught "$metric" honest_when_small honest-when-small codes_only
    caught "$metric" shared_memory shared-memory codes_only
    run_plugin honest honest "$metric"
    expect 0 'fair' 'codes_only' -- "$fq" audit "$dir/honest-$metric.h5"
done

"$fq" env >"$dir/env.txt"
if [ -f datasets/files/smollm2-135m.gguf ] && grep -qi 'libllama' "$dir/env.txt" && ! grep -qi 'libllama.*absent' "$dir/env.txt"; then
    caught perplexity keeps_floats_aside keeps-floats-aside codes_only
    caught perplexity honest_when_small honest-when-small codes_only
    run_plugin honest honest perplexity
    expect 0 'fair' -- "$fq" audit "$dir/honest-perplexity.h5"
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
