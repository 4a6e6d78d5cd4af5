#!/bin/bash
# The benchmarks: what tests/run.sh --full adds. Prints figures; a lost message fails it.
#   tests/bench/full.sh BUILD      BUILD: a release tree
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:?usage: tests/bench/full.sh BUILD}
step() { printf '\n--- %s\n' "$*"; }

step "routes: 10,000 rules against 10"
"$build/tests/bench/route_bench"
step "payloads"
"$build/tests/bench/encode_bench"
step "the queue against bare SQLite"
"$build/tests/bench/queue_bench"
step "beside the bare library, a mosquitto bridge and bare SQLite"
tests/bench/run.sh "$build" --picture "$build/figures.svg"
step "bytes written at each durability level"
tests/bench/durability.sh "$build"
step "bytes on the wire, with and without batches"
tests/bench/wire.sh "$build"
step "memory after a million messages in 10 minutes"
tests/bench/memory.sh "$build" 600
