# shellcheck shell=bash
# What Sluice is built and tested with, as Debian 12 packages; installs those that are missing. Sourced.
# SLUICE_NO_APT=1: install nothing (a missing package then shows as a build or test failure).

sluice_build_packages=(
  build-essential ca-certificates cmake ninja-build pkg-config git
  libmosquitto-dev libssl-dev libsqlite3-dev libspdlog-dev libfmt-dev libboost1.81-dev libtomlplusplus-dev
  libcli11-dev nlohmann-json3-dev libmodbus-dev libserialport-dev libsystemd-dev libgtest-dev libgmock-dev
  dpkg-dev file
)
sluice_demo_packages=(mosquitto mosquitto-clients socat python3 python3-pymodbus python3-serial python3-serial-asyncio)
sluice_test_packages=(
  "${sluice_demo_packages[@]}" python3-paho-mqtt ccache clang clang-format libc++-dev libc++abi-dev
  libclang-rt-14-dev openssl iproute2 man-db systemd procps
)
# The emulated gateway; its kernel and root file system come from apt too, but are not installed.
sluice_gateway_packages=(qemu-system-x86 mmdebstrap e2fsprogs kmod libelf1 xz-utils)

install_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  if [ "${SLUICE_NO_APT:-0}" = 1 ]; then
    echo "missing packages, left alone because of SLUICE_NO_APT: ${missing[*]}" >&2
    return 0
  fi
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
  echo "installing: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  # No service of the machine is started or changed for a test: mosquitto's unit stays as it was.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" >/dev/null
}
