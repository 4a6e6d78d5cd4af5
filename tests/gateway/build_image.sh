#!/bin/bash
# Builds the emulated gateway from Debian packages, once: kernel, initrd and root file system, in a folder of the cache
# that is named by a hash of what it is made from. Prints that folder. README.md says what is in the guest.
#
#   tests/gateway/build_image.sh CACHE
#
# Exit code 77: something is missing; the reason is on standard error.
set -euo pipefail
umask 022
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
cache=${1:?usage: build_image.sh CACHE}

# Init, tools that the cases use, and what sluice links: the .deb itself comes with each case.
guest_packages=(
  systemd systemd-sysv udev dbus kmod ca-certificates iproute2 nftables dmsetup gpiod procps
  libcap2 libmosquitto1 libssl3 libsqlite3-0 libfmt9 libspdlog1.10 libmodbus5 libserialport0 libsystemd0 libstdc++6
)
guest_modules=(
  virtio_pci virtio_blk virtio_net virtio_console virtio-rng ext4 configfs gpio-sim dm-mod dm-flakey loop
  sch_netem nf_tables nft_reject_inet nf_reject_ipv4 nf_reject_ipv6 nft_counter softdog
)
boot_modules=(virtio_pci virtio_blk ext4 crc32c_generic)

missing() { echo "$*" >&2; exit 77; }

# shellcheck source=/dev/null
. /etc/os-release
[ "${VERSION_CODENAME:-}" = bookworm ] || missing "the guest is made from Debian 12's own packages, on Debian 12 only"
for tool in qemu-system-x86_64 mmdebstrap mke2fs depmod make gcc xz; do
  PATH=$PATH:/usr/sbin:/sbin command -v $tool >/dev/null || missing "$tool is not installed (tests/packages.sh)"
done
PATH=$PATH:/usr/sbin:/sbin
[ "$(id -u)" -eq 0 ] || missing "the guest's root file system is made by root"

kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: linux-image-//p' | head -1)
[ -n "$kernel" ] || missing "apt knows no linux-image-amd64 (apt-get update)"
kernel_packages=(
  "linux-image-$kernel" "linux-headers-$kernel" "linux-headers-${kernel/-amd64/-common}" linux-kbuild-6.1 linux-source-6.1
)
versions=$(apt-cache policy "${kernel_packages[@]}" busybox-static "${guest_packages[@]}" | grep -E '^[^ ]|Candidate')
key=$( (cat "$0" "$here"/guest/*; echo "$versions") | sha256sum | cut -c1-16)
image=$cache/$key
if [ -f "$image/root.img" ]; then echo "$image"; exit 0; fi

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9  # a second build waits for the first
if [ -f "$image/root.img" ]; then echo "$image"; exit 0; fi
work=$(mktemp -d "$cache/building.XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
say() { echo "gateway image: $* ($(date +%T))" >&2; }

unpack_packages() {
  say "download $kernel"
  mkdir -p "$work/debs" "$work/unpacked"
  (cd "$work/debs" && apt-get -qq -o APT::Sandbox::User=root download "${kernel_packages[@]}" busybox-static) >&2 ||
    missing "apt could not download the kernel's packages"
  local deb
  for deb in "$work"/debs/*.deb; do
    case $deb in
      */linux-source-*) ;;
      *) dpkg-deb -x "$deb" "$work/unpacked" ;;
    esac
  done
}

# gpio-sim is not in Debian's kernel; its source is, and stays there: GPL-2.
build_gpio_sim() {
  say "build gpio-sim"
  local module=$work/gpio-sim headers=$work/unpacked/usr/src/linux-headers-$kernel
  mkdir "$module"
  local files=(drivers/gpio/gpio-sim.c drivers/gpio/gpiolib.h kernel/irq/irq_sim.c)
  # The archive's reader stops early; that the writers mind is of no interest.
  { dpkg-deb --fsys-tarfile "$work"/debs/linux-source-*.deb |
    tar -xO ./usr/src/linux-source-6.1.tar.xz |
    tar -xJ -C "$module" --strip-components=1 --occurrence=1 "${files[@]/#/linux-source-6.1/}"; } 2>/dev/null || true
  mv "$module/drivers/gpio/gpio-sim.c" "$module/gpio-sim-main.c"
  mv "$module/drivers/gpio/gpiolib.h" "$module/kernel/irq/irq_sim.c" "$module"
  # This function of the kernel is not exported to modules; the other one is.
  sed -i 's/handle_simple_irq(irq_to_desc(irqnum))/generic_handle_irq(irqnum)/' "$module/irq_sim.c"
  printf 'obj-m := gpio-sim.o\ngpio-sim-y := gpio-sim-main.o irq_sim.o\n' >"$module/Makefile"
  # The headers are not installed, so that their own paths do not hold.
  sed -i "s|/usr/src/|$work/unpacked/usr/src/|" "$headers/Makefile"
  make -s -C "$headers" M="$module" modules >"$work/gpio-sim.log" 2>&1 || { cat "$work/gpio-sim.log" >&2; exit 1; }
  install -D -m 644 "$module/gpio-sim.ko" "$work/unpacked/lib/modules/$kernel/extra/gpio-sim.ko"
}

# The paths of modules and of what they need, in the order of loading.
module_files() { # MODULE...
  local module
  for module in "$@"; do
    modprobe -d "$work/unpacked" -S "$kernel" --show-depends "$module" 2>/dev/null | sed -n 's/^insmod \([^ ]*\).*/\1/p'
  done | awk '!seen[$0]++'
}

build_initrd() {
  say "initrd"
  local root=$work/initrd file
  mkdir -p "$root"/{bin,dev,proc,sys,modules,new}
  install -m 755 "$work/unpacked/bin/busybox" "$root/bin/busybox"
  install -m 755 "$here/guest/init" "$root/init"
  module_files "${boot_modules[@]}" >"$work/boot-modules"
  while read -r file; do
    cp "$file" "$root/modules/"
    echo "${file##*/}"
  done <"$work/boot-modules" >"$root/modules/order"
  (cd "$root" && find . | "$work/unpacked/bin/busybox" cpio -o -H newc 2>/dev/null | gzip -1) >"$work/image/initrd"
}

build_root() {
  say "root file system"
  local root=$work/root unit
  apt-get indextargets --format '$(ORIGIN) deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    sed -n 's/^Debian //p' | sort -u >"$work/sources.list"
  mmdebstrap --quiet --mode=root --variant=minbase --skip=check/empty \
    --include="$(IFS=,; echo "${guest_packages[*]}")" \
    --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$VERSION_CODENAME" "$root" "$work/sources.list" >&2 || missing "mmdebstrap could not make the root file system"
  # A package that is tested in it shows what it installs, documentation included.
  rm -f "$root"/etc/dpkg/dpkg.cfg.d/99mmdebstrap

  local file
  while read -r file; do
    install -D -m 644 "$file" "$root${file#"$work/unpacked"}"
  done < <(module_files "${guest_modules[@]}")
  cp "$work/unpacked/lib/modules/$kernel"/modules.{builtin,builtin.modinfo,order} "$root/lib/modules/$kernel/"
  depmod -b "$root" "$kernel"

  echo gateway >"$root/etc/hostname"
  echo '/dev/vda / ext4 defaults 0 1' >"$root/etc/fstab"
  printf '127.0.0.1 localhost\n127.0.1.1 gateway\n' >"$root/etc/hosts"
  printf 'nameserver 10.0.2.3\n' >"$root/etc/resolv.conf"
  printf '[Match]\nName=e*\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n' >"$root/etc/systemd/network/eth.network"
  install -m 755 "$here/guest/control" "$here/guest/gpio-sim" "$root/usr/local/sbin/"
  install -m 644 "$here/guest/control.service" "$root/etc/systemd/system/"
  # Everything that is asked of the guest comes by its control port; the journal is kept, since a power cut is a case.
  mkdir -p "$root/var/log/journal" "$root/payload" "$root/etc/systemd/journald.conf.d"
  printf '[Journal]\nRateLimitIntervalSec=0\n' >"$root/etc/systemd/journald.conf.d/test.conf"
  systemctl --quiet --root="$root" enable systemd-networkd control.service
  for unit in getty.target console-getty.service systemd-timesyncd.service systemd-networkd-wait-online.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer systemd-firstboot.service \
    systemd-pstore.service e2scrub_reap.service systemd-logind.service dev-hugepages.mount dev-mqueue.mount \
    sys-kernel-debug.mount sys-kernel-tracing.mount systemd-update-utmp.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
  done
  mke2fs -q -t ext4 -L gateway -d "$root" "$work/image/root.img" 1G
}

mkdir "$work/image"
unpack_packages
build_gpio_sim
depmod -b "$work/unpacked" "$kernel"
build_initrd
build_root
cp "$work/unpacked/boot/vmlinuz-$kernel" "$work/image/vmlinuz"
echo "$versions" >"$work/image/versions"
# Older images are of no more use.
find "$cache" -mindepth 1 -maxdepth 1 -type d ! -path "$work" -exec rm -rf {} +
mv "$work/image" "$image"
echo "$image"
