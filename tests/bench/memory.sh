#!/bin/bash
# What the agent holds in memory after a million messages, with the serial, modbus and gpio plugins at work.
#   tests/bench/memory.sh BUILD [SECONDS]      BUILD: a release tree; SECONDS: over which the million is spread (600)
# Everything on 127.0.0.1; ends what it started. Prints resident sizes, and how the ledger stands at the end.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:?usage: tests/bench/memory.sh BUILD [SECONDS]}
seconds=${2:-600}
messages=1000000
work=$(mktemp -d)
pids=()
finish() {
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do kill "${pids[i]}" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
free_port() { /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
broker_port=$(free_port)
plc_port=$(free_port)

printf 'listener %s 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 0\n' "$broker_port" >"$work/mosquitto.conf"
PATH=$PATH:/usr/sbin mosquitto -c "$work/mosquitto.conf" >"$work/mosquitto.log" 2>&1 & pids+=($!)
/usr/bin/python3 config/demo/plc.py "$plc_port" >"$work/plc.log" 2>&1 & pids+=($!)
socat "pty,raw,echo=0,link=$work/meter" "pty,raw,echo=0,link=$work/meter-end" & pids+=($!)
for _ in $(seq 100); do [ -e "$work/meter-end" ] && break; sleep 0.1; done
/usr/bin/python3 config/demo/meter.py "$work/meter-end" & pids+=($!)

cat >"$work/sluice.toml" <<EOF
[agent]
id = "memory"
state_dir = "$work/state"
[mqtt]
brokers = ["mqtt://127.0.0.1:$broker_port"]
[[input]]
plugin = "simulator"
name = "sim"
rate = $((messages / seconds)).0
count = $messages
[[input]]
plugin = "serial"
name = "meter"
device = "$work/meter"
payload = "json"
[[input]]
plugin = "modbus"
name = "plc"
server = "127.0.0.1"
port = $plc_port
topic = "{agent}/{input}/{tag}"
[[input.unit]]
id = 1
tag = [{ name = "temperature", address = 0, type = "float32" }, { name = "pieces", address = 3, type = "uint32" }]
[[input]]
plugin = "gpio"
name = "pins"
chip = "gpiochip0"
topic = "{agent}/{input}/{line}"
[[input.line]]
offset = 0
name = "door"
EOF
"$build/agent/sluice" check --config "$work/sluice.toml" >/dev/null
"$build/agent/sluice" run --config "$work/sluice.toml" >"$work/agent.log" 2>&1 & agent=$!
pids+=("$agent")
rss() { awk '/VmRSS/ {printf "%.1f MB", $2 / 1000}' "/proc/$agent/status"; }
cpu() { awk -v hz="$(getconf CLK_TCK)" '{printf "%.1f s", ($14 + $15) / hz}' "/proc/$agent/stat"; }
sleep 5
echo "resident after 5 s: $(rss)"
begin=$(date +%s)
while (($(date +%s) - begin < seconds + 30)); do
  sleep 5
  sent=$("$build/agent/sluice" status --json --config "$work/sluice.toml" |
    /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["metrics"]["forwarder"]["acknowledged"])')
  ((sent >= messages)) && break
done
echo "resident after $(($(date +%s) - begin)) s and $sent acknowledged messages: $(rss); processor time $(cpu)"
awk '/VmHWM/ {printf "at most: %.1f MB\n", $2 / 1000}' "/proc/$agent/status"
"$build/agent/sluice" status --config "$work/sluice.toml" | sed -n '/^queue/,/^ *besides/p;/^input/p'
