#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What the packages hold: files with their modes, conffiles, dependencies, scripts, and a program that finds its plugins
# where the package puts them. contents_test.sh PACKAGES VERSION SOURCE
set -euo pipefail
packages=$1 version=$2 source=$3
here=$(dirname "$0")
arch=$(dpkg --print-architecture)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

failed=0
fail() { echo "$*" >&2; failed=1; }
same() { diff -u --label expected --label found "$1" "$2" >&2 || fail "$3"; }

agent=$packages/sluice_${version}_$arch.deb
dev=$packages/sluice-dev_${version}_$arch.deb

# Mode, owner and path of everything but the folders that many packages share.
list() {
  dpkg-deb -c "$1" | awk '{ sub(/^\./, "", $6); print $1, $2, $6 }' |
    grep -v '^drwxr-xr-x root/root \(/usr\|/etc/\(sluice/\)\?$\|/$\)' | sort -k3
}
list "$agent" > "$tmp/agent"
same "$here/sluice.contents" "$tmp/agent" "sluice holds something else"

list "$dev" > "$tmp/dev"
{
  (cd "$source/sdk/include" && find . -type f -printf '/usr/include/%P\n')
  (cd "$source/sdk/example" && find . -type f -printf '/usr/share/doc/sluice-dev/examples/%P\n')
  printf '/usr/share/doc/sluice-dev/%s\n' README.md changelog.gz copyright
  printf '/usr/lib/cmake/SluiceSDK/%s\n' SluiceAddPlugin.cmake SluiceSDKConfig.cmake SluiceSDKConfigVersion.cmake \
    SluiceSDKTargets.cmake
} | sed 's/^/-rw-r--r-- root\/root /' | sort -k3 > "$tmp/dev.expected"
same "$tmp/dev.expected" "$tmp/dev" "sluice-dev holds something else"

dpkg-deb -e "$agent" "$tmp/control"
dpkg-deb -x "$agent" "$tmp/root"
[ "$(cat "$tmp/control/conffiles")" = /etc/sluice/sluice.toml ] || fail "conffiles: $(cat "$tmp/control/conffiles")"
for script in postinst prerm postrm; do
  [ "$(stat -c %a "$tmp/control/$script")" = 755 ] || fail "$script: mode $(stat -c %a "$tmp/control/$script")"
  sh -n "$tmp/control/$script" || fail "$script: syntax"
  grep -q '^set -e$' "$tmp/control/$script" || fail "$script: goes on after an error"
done
(cd "$tmp/root" && md5sum --quiet -c ../control/md5sums) || fail "md5sums"

depends=$(dpkg-deb -f "$agent" Depends)
for library in libc6 libstdc++6 libmosquitto1 libsqlite3-0 libsystemd0 libmodbus5 libserialport0; do
  [[ ", $depends, " == *", $library"[,\ ]* ]] || fail "no dependency on $library: $depends"
done
if [[ "$depends" == *-dev* ]]; then fail "a dependency on headers: $depends"; fi
# Headers serve with or without the agent, and without what it is made of.
[ -z "$(dpkg-deb -f "$dev" Depends)" ] || fail "sluice-dev depends on $(dpkg-deb -f "$dev" Depends)"

find "$tmp/root/usr" -name '*.so' -o -path '*/bin/*' | while read -r binary; do
  if readelf -S "$binary" | grep -q '\.debug_info'; then echo "$binary is not stripped"; fi
  if readelf -d "$binary" | grep -E 'RPATH|RUNPATH'; then echo "$binary looks for libraries elsewhere"; fi
done > "$tmp/binaries"
same /dev/null "$tmp/binaries" "binaries"

grep -qx 'ExecStart=/usr/bin/sluice run --config /etc/sluice/sluice.toml' "$tmp/root/usr/lib/systemd/system/sluice.service" ||
  fail "the unit starts another program"
# What postinst compares with, and what the program itself thinks of it.
cmp "$tmp/root/etc/sluice/sluice.toml" "$tmp/root/usr/share/sluice/sluice.toml" || fail "two samples"
"$tmp/root/usr/bin/sluice" check --config "$tmp/root/etc/sluice/sluice.toml" > "$tmp/check" || fail "check: $(cat "$tmp/check")"
"$tmp/root/usr/bin/sluice" plugins --config "$tmp/root/etc/sluice/sluice.toml" > "$tmp/plugins"
for plugin in file gpio modbus serial simulator; do
  grep -q "^$plugin " "$tmp/plugins" || fail "no plugin $plugin: $(cat "$tmp/plugins")"
done
"$tmp/root/usr/bin/sluice" --version | grep -qF "$version" || fail "another version than $version"
exit $failed
