#!/bin/bash
# What each durability level writes: bytes a message, and MB a day, at 1, 10 and 100 messages a second, online and offline.
#   tests/bench/durability.sh BUILD [--small]      BUILD: a release tree
# Queue and storage thread run as in the agent, on a clock that jumps from event to event: hours pass in seconds. Counted is
# everything that the program writes to files (write calls), whether it ever reaches the medium: a file that is removed soon
# may not. 100 bytes of payload, 27 of topic. Prints one Markdown table.
set -euo pipefail
build=${1:?usage: tests/bench/durability.sh BUILD [--small]}
messages=20000
if [ "${2:-}" = --small ]; then messages=1000; fi
exec "$build/tests/bench/durability_bench" table "$messages"
