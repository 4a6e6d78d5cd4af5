#!/bin/bash
# Builds Sluice and passes its tests. Installs what is missing with apt (Debian 12).
#
#   tests/run.sh            everything: the tests under the address, undefined and thread sanitizers, ten seconds of each
#                           fuzzer, the release tests and those in the emulated gateway; three quarters of an hour on 2 cores
#   tests/run.sh --quick    the release tests, but those in the emulated gateway; ten minutes
#   tests/run.sh --full     everything, and the long runs (200 kills, 60 s of each fuzzer, ten minutes of soak, benchmarks,
#                           ten power cuts)
#
# The last line is CTest's summary of the release tests.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/packages.sh

mode=normal
case "${1:-}" in
  "") ;;
  --quick | --full) mode=${1#--} ;;
  *) echo "usage: tests/run.sh [--quick | --full]" >&2; exit 64 ;;
esac

jobs=$(nproc)
said=()
if [ "$mode" = full ]; then
  export SLUICE_FULL=1  # 200 kills, 1,000 disks, ten minutes of soak, ten power cuts, 10,000 edges
  said=(-V)             # what each fault test counted goes into the log, and is shown
fi
step() { printf '\n=== %s (%s)\n' "$*" "$(date +%T)"; }

build() { # PRESET
  step "build $1"
  cmake --preset "$1" -DSLUICE_BUILD_TESTS=ON
  cmake --build --preset "$1" -j "$jobs"
}

run_tests() { # PRESET [CTEST ARGUMENTS]
  local preset=$1; shift
  step "test $preset"
  # A test that passes only at the second try is listed below as one to mend; it does not stop the others.
  ctest --preset "$preset" -j "$jobs" --no-tests=error --repeat until-pass:2 --output-log "build/$preset/ctest.log" "${said[@]}" "$@" >/dev/null || {
    grep -E 'Failed|\*\*\*|tests passed' "build/$preset/ctest.log" | tail -40
    grep -B2 -A60 -E '\*\*\*(Failed|Timeout|Exception)' "build/$preset/ctest.log" | head -400 || true  # head ends before grep does
    exit 1
  }
  grep -E '\*\*\*(Failed|Timeout|Exception)' "build/$preset/ctest.log" | sed 's/^/passed at the second try: /' || true
  if [ "$mode" = full ]; then grep -hE '^[0-9]+: .*(lost|arrived under faults)' "build/$preset/ctest.log" | sed 's/^[0-9]*: //' || true; fi
  sed -n '/^[0-9]*% tests passed/,$p' "build/$preset/ctest.log"
  grep -E '^[0-9]+% tests passed' "build/$preset/ctest.log"
}

fuzz() { # SECONDS
  step "each fuzzer for $1 s"
  local fuzzer name corpus log
  for fuzzer in build/asan/tests/fuzz/fuzz_*; do
    [ -f "$fuzzer" ] && [ -x "$fuzzer" ] || continue
    name=$(basename "$fuzzer")
    log="build/asan/$name.log"
    corpus=$(mktemp -d)
    "$fuzzer" -max_total_time="$1" -rss_limit_mb=2048 -print_final_stats=1 "$corpus" "tests/fuzz/corpus/${name#fuzz_}" \
      >"$log" 2>&1 || { tail -60 "$log"; exit 1; }
    rm -rf "$corpus"
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, nothing found"
  done
}

step "packages"
install_packages "${sluice_build_packages[@]}" "${sluice_test_packages[@]}"
if [ "$mode" != quick ]; then
  install_packages "${sluice_gateway_packages[@]}"
  build asan
  if [ "$mode" = full ]; then fuzz 60; else fuzz 10; fi
  # Sanitizers make everything several times slower: smaller doses there. What is packaged is a release build.
  export SLUICE_TEST_MESSAGES=5000 SLUICE_TEST_KILLS=4 SLUICE_TEST_SOAK=20 SLUICE_TEST_POWER_CUTS=25
  run_tests asan -LE 'gateway|package|bench'
  build tsan
  run_tests tsan -LE 'gateway|package|bench'
  unset SLUICE_TEST_MESSAGES SLUICE_TEST_KILLS SLUICE_TEST_SOAK SLUICE_TEST_POWER_CUTS
fi
build release
if [ "$mode" = full ]; then
  step "the benchmarks"
  tests/bench/full.sh build/release
fi
if [ "$mode" = quick ]; then run_tests release -LE gateway; else run_tests release; fi
