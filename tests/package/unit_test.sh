#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The unit as systemd judges it: nothing to say by `verify`, an exposure of at most 2.0, and beside each exposure that
# remains a comment that says why. unit_test.sh PACKAGES VERSION SOURCE
set -euo pipefail
packages=$1 version=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export SYSTEMD_PAGER= SYSTEMD_COLORS=0 LC_ALL=C.UTF-8

if ! command -v systemd-analyze >/dev/null; then
  echo "systemd-analyze is not here (package systemd)"
  if [ "${CI:-}" = true ]; then exit 1; fi
  exit 77
fi

dpkg-deb -x "$packages/sluice_${version}_$(dpkg --print-architecture).deb" "$tmp/root"
unit=$tmp/sluice.service
# Nothing is installed: the program and the manual page are where they were unpacked.
sed "s,^ExecStart=/usr,ExecStart=$tmp/root/usr," "$tmp/root/usr/lib/systemd/system/sluice.service" > "$unit"

failed=0
said=$(MANPATH=$tmp/root/usr/share/man systemd-analyze verify "$unit" 2>&1) || failed=1
if [ -n "$said" ]; then echo "verify: $said" >&2; failed=1; fi

systemd-analyze security --offline=yes --threshold=20 --no-pager "$unit" > "$tmp/security" || failed=1
grep -e '^✗' -e 'exposure level' "$tmp/security"
grep -o '^✗ [A-Za-z]*' "$tmp/security" | cut -d' ' -f2 | sort -u | while read -r setting; do
  if ! grep -q "^# .*\b$setting\b\|^$setting=" "$unit"; then echo "$setting is exposed without a word"; fi
done > "$tmp/unsaid"
if [ -s "$tmp/unsaid" ]; then cat "$tmp/unsaid" >&2; failed=1; fi
exit $failed
