#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The headers with the compilers that authors have: plugin.h as C11 and as every C++ since 11; each header of the C++ layer by
# itself, as C++17 and 20, with strict warnings. headers_test.sh INCLUDE_FOLDER TEST_FOLDER
set -eu
include=$1 here=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

# try COMMAND...: the command must say nothing and succeed.
try() {
  if "$@" > "$tmp/out" 2>&1 && [ ! -s "$tmp/out" ]; then return; fi
  echo "failed: $*"
  cat "$tmp/out"
  failed=1
}

strict="-Wall -Wextra -Wpedantic -Werror -fsyntax-only -I$include"
# shellcheck disable=SC2086
for compiler in gcc clang; do
  if ! command -v $compiler > /dev/null; then echo "skipped: there is no $compiler here"; continue; fi
  for standard in c11 c17; do
    try $compiler -std=$standard $strict "$here/plugin_h.c"
    try $compiler -std=$standard $strict "$here/plugins/plain.c"
  done
done
# shellcheck disable=SC2086
for compiler in g++ clang++; do
  if ! command -v $compiler > /dev/null; then echo "skipped: there is no $compiler here"; continue; fi
  for standard in 11 14 17 20; do
    try $compiler -x c++ -std=c++$standard $strict "$here/plugin_h.c"
  done
  strict_cxx="$strict -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual"
  for header in plugin.hpp testing.hpp; do
    printf '#include <sluice/%s>\n' $header > "$tmp/whole.cpp"
    try $compiler -std=c++17 $strict_cxx "$tmp/whole.cpp"
    try $compiler -std=c++20 $strict_cxx "$tmp/whole.cpp"
  done
  printf '#include <string>\n' > "$tmp/library.cpp"
  if $compiler -stdlib=libc++ -fsyntax-only "$tmp/library.cpp" 2> "$tmp/out"; then
    try $compiler -stdlib=libc++ -std=c++17 $strict_cxx "$tmp/whole.cpp"
  fi
done

# Each includes what it uses.
for header in $(cd "$include" && find sluice -name '*.hpp'); do
  printf '#include <%s>\n' "$header" > "$tmp/alone.cpp"
  # shellcheck disable=SC2086
  try "${CXX:-c++}" -std=c++17 $strict "$tmp/alone.cpp"
done
exit $failed
