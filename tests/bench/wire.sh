#!/bin/bash
# Bytes on the wire for each sample, with and without batches: everything that agent and broker exchange, TCP and IP headers
# included, counted by the loopback interface of a network namespace of their own.
#   tests/bench/wire.sh BUILD [SECONDS]      BUILD: a release tree; SECONDS: at 100 samples a second (20)
# Prints one Markdown table. Ends what it started.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "${SLUICE_BENCH_NAMESPACE:-}" != 1 ]; then
  user=$([ "$(id -u)" = 0 ] || echo --map-root-user)
  SLUICE_BENCH_NAMESPACE=1 exec unshare ${user:+"$user"} --net "$0" "$@"
fi
build=${1:?usage: tests/bench/wire.sh BUILD [SECONDS]}
count=$((${2:-20} * 100))
ip link set lo up
work=$(mktemp -d)
pids=()
finish() {
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do kill "${pids[i]}" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
wire() { ip -s -j link show lo | /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["stats64"]["tx"]["bytes"])'; }
printf 'listener 1883 127.0.0.1\nallow_anonymous true\n' >"$work/mosquitto.conf"
PATH=$PATH:/usr/sbin mosquitto -c "$work/mosquitto.conf" >"$work/mosquitto.log" 2>&1 & pids+=($!)

measure() { # BATCH_COUNT
  cat >"$work/sluice.toml" <<END
[agent]
id = "wire"
state_dir = "$work/state-$1"
[mqtt]
brokers = ["mqtt://127.0.0.1:1883"]
status_topic = ""
[[input]]
plugin = "simulator"
name = "sim"
topic = "plant/line1/temperature"
signal = "random-walk"
rate = 100.0
count = $count
[[route]]
match = "#"
to = ["mqtt"]
batch_count = $1
END
  local before agent
  before=$(wire)
  "$build/agent/sluice" run --config "$work/sluice.toml" >"$work/agent.log" 2>&1 &
  agent=$!
  pids+=("$agent")
  for _ in $(seq 600); do
    sleep 0.5
    [ "$("$build/agent/sluice" status --json --config "$work/sluice.toml" 2>/dev/null |
      /usr/bin/python3 -c 'import json, sys
try: print(json.load(sys.stdin)["metrics"]["forwarder"]["acknowledged"])
except Exception: print(0)')" = "$count" ] && break
  done
  kill "$agent"
  wait "$agent" || { cat "$work/agent.log" >&2; exit 1; }
  echo $((($(wire) - before) / count))
}

echo "| samples in a publication | bytes on the wire for each sample |"
echo "| --- | --- |"
alone=$(measure 0)
echo "| 1 (no batch) | $alone |"
for batch in 10 100; do
  bytes=$(measure "$batch")
  echo "| $batch | $bytes ($(/usr/bin/python3 -c "print(f'{$bytes / $alone:.2f}')") of it) |"
done
