#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What an author of plugins does: installs the SDK, and configures, builds and tests the example out of tree against it.
# example_test.sh BUILD_FOLDER EXAMPLE_SOURCE CXX
set -eu
build=$1 example=$2 cxx=$3
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cmake --install "$build" --component dev --prefix "$tmp/prefix" > "$tmp/install.log"
# Nothing of the agent comes along, and every header does.
if find "$tmp/prefix" -type f | grep -v -e '/include/sluice/' -e '/cmake/SluiceSDK/'; then
  echo "the component dev installs more than the SDK" >&2
  exit 1
fi
# A copy: nothing in the example may lean on where it lies.
cp -r "$example" "$tmp/source"
cmake -S "$tmp/source" -B "$tmp/build" -DCMAKE_PREFIX_PATH="$tmp/prefix" -DCMAKE_CXX_COMPILER="$cxx" \
  -DCMAKE_CXX_FLAGS="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror" -DCMAKE_BUILD_TYPE=Debug
cmake --build "$tmp/build"
(cd "$tmp/build" && ctest --output-on-failure --no-tests=error)
cmake --install "$tmp/build" --prefix "$tmp/installed"
for name in thermometer statsd; do
  # The descriptor is all that can be seen from outside.
  file=$(find "$tmp/installed" -path "*/sluice/plugins/sluice-$name.so")
  nm -D --defined-only "$file" | grep -q ' sluice_plugin_v1$'
  if nm -D --defined-only "$file" | grep -i ' [tdbr] .*\(thermometer\|statsd\)'; then exit 1; fi
done
