#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs, reinstalls, removes and purges sluice by dpkg, in a copy of this machine's file system that lies in memory and
# sees none of its services. install_test.sh PACKAGES VERSION SOURCE
set -euo pipefail
packages=$1 version=$2
package=sluice_${version}_$(dpkg --print-architecture).deb

if [ "${3:-}" != inside ]; then
  skip() { echo "$*"; exit 77; }
  if [ "$(id -u)" -ne 0 ]; then skip "needs root, to mount a file system of its own"; fi
  if ! unshare --mount true; then skip "mounts of its own cannot be had here, as in a chroot"; fi
  tmp=$(mktemp -d)
  trap 'rmdir "$tmp"' EXIT
  # Everything mounted here ends with the name space.
  exec_inside='
    mount -t tmpfs overlay "$1" && mkdir "$1/upper" "$1/work" "$1/root" &&
    mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root" || exit 77
    mount -t proc proc "$1/root/proc" || exit 77
    cp "$2/$3" "$4" "$1/root/root/" && chroot "$1/root" /bin/bash "/root/${4##*/}" /root "$5" inside'
  status=0
  unshare --mount bash -c "$exec_inside" - "$tmp" "$packages" "$package" "$0" "$version" || status=$?
  if [ "$status" -eq 77 ]; then skip "no file system can be laid over this one"; fi
  exit "$status"
fi

export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
configuration=/etc/sluice/sluice.toml
failed=0
# Not the manual pages' index after each step: it takes longer than everything else.
dpkg() { command dpkg --no-triggers --force-unsafe-io "$@"; }
check() { # WHAT COMMAND...
  local what=$1
  shift
  "$@" || { echo "not so: $what" >&2; failed=1; }
}
enabled() { [ -L /etc/systemd/system/multi-user.target.wants/sluice.service ]; }
absent() { [ ! -e "$1" ]; }
state() { dpkg-query -W -f '${db:Status-Status}' sluice; }

dpkg -i "/root/$package"
check "the user has its groups" [ "$(id -nG sluice | tr ' ' '\n' | sort | xargs)" = "dialout gpio sluice" ]
check "the unit is enabled" enabled
check "the program finds its plugins" sluice check
check "secrets are root's" [ "$(stat -c '%U %a' /etc/sluice/credentials)" = "root 700" ]

echo '# mine' >> "$configuration"
install -d -o sluice /var/lib/sluice/queue
dpkg -i "/root/$package"
check "a reinstallation keeps the configuration" grep -qx '# mine' "$configuration"
check "a reinstallation keeps the queue" [ -d /var/lib/sluice/queue ]

dpkg -r sluice
check "removed" [ "$(state)" = config-files ]
check "a removal takes the program" absent /usr/bin/sluice
check "a removal keeps the configuration" grep -qx '# mine' "$configuration"
check "a removal keeps the queue" [ -d /var/lib/sluice/queue ]

systemctl disable sluice.service
dpkg -i "/root/$package"
check "an installation after a removal finds the configuration" grep -qx '# mine' "$configuration"
check "what the user disabled stays so" absent /etc/systemd/system/multi-user.target.wants/sluice.service

dpkg -P sluice
check "a purge takes the configuration" absent /etc/sluice
check "a purge takes the queue" absent /var/lib/sluice
exit $failed
