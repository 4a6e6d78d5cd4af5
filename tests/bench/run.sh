#!/bin/bash
# The agent beside the bare library, a mosquitto bridge and bare SQLite, in alternating runs: one Markdown table of ratios.
#   tests/bench/run.sh BUILD [--runs N] [--small] [--picture FILE] [ROW …]      BUILD: a release tree; --help names the rows
# All with 100 bytes of payload, 27 of topic, QoS 1, the same broker on 127.0.0.1, and no Receive Maximum. It judges no figure,
# but fails where a message is lost or a row has none. Whole doses take most of an hour and some GB under TMPDIR.
set -euo pipefail
exec /usr/bin/python3 -B "$(dirname "$0")/comparison" "$@"
