#!/bin/bash
# The main job with real parts: a mosquitto broker, a simulated PLC (Modbus TCP), a serial meter on a pty, the agent that
# reads both, and the messages as a subscriber sees them. In the middle the broker goes away for a while: nothing is missing.
#
#   config/demo/run.sh [SECONDS]     how long to show messages (default 30); Ctrl-C ends it
#
# Installs what it needs with apt (Debian 12), builds Sluice once, and leaves nothing running. Everything stays on 127.0.0.1.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/packages.sh
seconds=${1:-30}
[[ $seconds =~ ^[0-9]+$ ]] && ((seconds >= 10)) || { echo "usage: config/demo/run.sh [SECONDS], 10 at least" >&2; exit 64; }

install_packages "${sluice_build_packages[@]}" "${sluice_demo_packages[@]}"
sluice=build/release/agent/sluice
echo "building Sluice (the first time takes some minutes)"
# Without the tests, but a tree that has them keeps them.
[ -e build/release/CMakeCache.txt ] || cmake --preset release -DSLUICE_BUILD_TESTS=OFF >/dev/null
cmake --build --preset release --target sluice plugins/all >build/demo.log || { tail -n 50 build/demo.log; exit 1; }

work=$(mktemp -d)
pids=()
finish() {
  # In reverse order: the agent first, so that its clean stop finds the broker.
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do kill "${pids[i]}" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

wait_for() { # COMMAND...: until it succeeds, 20 s at most
  for _ in $(seq 200); do "$@" 2>/dev/null && return; sleep 0.1; done
  echo "this did not happen within 20 s: $*" >&2
  cat "$work"/*.log >&2
  exit 1
}
free_port() { /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

broker_port=$(free_port)
plc_port=$(free_port)
cat >"$work/mosquitto.conf" <<EOF
listener $broker_port 127.0.0.1
allow_anonymous true
persistence true
persistence_location $work/
max_queued_messages 0
EOF
[ "$(id -u)" -ne 0 ] || echo "user root" >>"$work/mosquitto.conf"
mosquitto=$(PATH=$PATH:/usr/sbin command -v mosquitto)
start_broker() {
  "$mosquitto" -c "$work/mosquitto.conf" >>"$work/mosquitto.log" 2>&1 &
  broker=$!
  pids+=("$broker")
  wait_for bash -c "exec 3<>/dev/tcp/127.0.0.1/$broker_port"
}

start_broker
/usr/bin/python3 config/demo/plc.py "$plc_port" >"$work/plc.log" 2>&1 & pids+=($!)
socat "pty,raw,echo=0,link=$work/meter" "pty,raw,echo=0,link=$work/meter-end" 2>"$work/socat.log" & pids+=($!)
wait_for test -e "$work/meter-end"
/usr/bin/python3 config/demo/meter.py "$work/meter-end" >"$work/meter.log" 2>&1 & pids+=($!)
wait_for bash -c "exec 3<>/dev/tcp/127.0.0.1/$plc_port"

export DEMO_STATE="$work/state" DEMO_BROKER="mqtt://127.0.0.1:$broker_port" DEMO_METER="$work/meter"
mkdir "$work/config"
sed "s/^port = 502$/port = $plc_port/" config/demo/sluice.toml >"$work/config/sluice.toml"
configuration=$work/config/sluice.toml
echo
echo "--- sluice check: the configuration and the plan of requests"
"$sluice" check --config "$configuration"
mosquitto_sub -h 127.0.0.1 -p "$broker_port" -t 'demo/#' -i demo-subscriber -c -q 1 -F '%I  %t  %p' >"$work/messages" 2>"$work/sub.log" &
subscriber=$!
pids+=("$subscriber")
"$sluice" run --config "$configuration" >"$work/agent.log" 2>&1 & pids+=($!)

echo
echo "--- messages as they arrive (until the broker is stopped after $((seconds / 3)) s)"
tail -n +1 -f "$work/messages" & pids+=($!)
wait_for test -s "$work/messages"
sleep $((seconds / 3))
echo
echo "--- the broker goes away for $((seconds / 3)) s; the agent goes on collecting"
kill "$broker"; wait "$broker" 2>/dev/null || true
sleep $((seconds / 3))
"$sluice" buffer stat --config "$configuration"
echo
echo "--- the broker is back; what was kept arrives first"
start_broker
sleep $((seconds / 3))
echo
echo "--- a command through the broker: register 'setpoint' of the PLC is set to 42.5"
mosquitto_rr -h 127.0.0.1 -p "$broker_port" -V 5 -t cmd/demo/plc/setpoint -e demo/reply -q 1 -W 10 -m 42.5
echo
echo "--- sluice status"
"$sluice" status --config "$configuration"
echo
/usr/bin/python3 config/demo/verdict.py "$work/messages"
