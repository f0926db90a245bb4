#!/bin/sh
# A short name of this machine for results/: processor, online processing units and best instruction set, no host name.
model=$(awk -F': ' '/^model name/ {print $2; exit}' /proc/cpuinfo)
isa=sse
grep -qw avx2 /proc/cpuinfo && isa=avx2
grep -qw avx512bw /proc/cpuinfo && isa=avx512
printf '%s-%s-%s\n' "${model:-unknown}" "$(nproc)pu" "$isa" | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9.-' | sed 's/--*/-/g; s/-$//'
