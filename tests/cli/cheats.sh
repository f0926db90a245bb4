#!/usr/bin/env bash
# The audit names what each plug-in of tests/cheats does, and finds nothing in the honest one. Needs `make cheats`.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
fq=$fairquant
plugins=$(dirname "$fq")/cheats

run_plugin() { # FILE METHOD
    [ -f "$plugins/$1.so" ] || fail "no plug-in $plugins/$1.so (make cheats)"
    cat >"$dir/$1.yaml" <<Y
name: cheat
contract: matched-cpu
threads: 1
seeds: [1]
repetitions: {processes: 1, blocks: 2}
data:
  - {generate: sphere, vectors: [1000], dim: [64]}
metrics: [distortion, speed, bytes]
methods:
  - {name: q8_0, rate_class: other}
  - {name: $2, rate_class: plug-in}
Y
    expect 0 -- "$fq" run "$dir/$1.yaml" --plugin "$plugins/$1.so" --out "$dir/$1.h5"
}
caught() { # FILE METHOD FACT...: each fact is named as unfair, and the method with it
    local file=$1 method=$2 fact
    shift 2
    run_plugin "$file" "$method"
    expect 1 "$method" -- "$fq" audit "$dir/$file.h5"
    for fact in "$@"; do
        grep -qE "UNFAIR +$fact" "$dir/out.txt" "$dir/err.txt" || fail "the audit of $file does not name $fact"
    done
}

caught spawns_thread spawns-a-thread threads_alive imports
caught keeps_floats_aside keeps-floats-aside codes_only
caught writes_past_buffer writes-past-buffer canaries written_bytes
caught caches_by_pointer caches-by-pointer codes_only
caught reads_clock reads-the-clock imports
caught allocates allocates imports
caught writes_shared writes-shared shared_state
caught promises_less promises-less written_bytes canaries
caught remembers_scratch remembers-scratch codes_only

run_plugin honest honest
expect 0 'fair' -- "$fq" audit "$dir/honest.h5"

# conformance sees through them too, and passes the honest one
expect 1 'promises-less' -- "$fq" verify --quick --plugin "$plugins/promises_less.so" promises-less
expect 1 'remembers-scratch' -- "$fq" verify --quick --plugin "$plugins/remembers_scratch.so" remembers-scratch
expect 0 'passes' -- "$fq" verify --quick --plugin "$plugins/honest.so" honest
exit "$bad"
