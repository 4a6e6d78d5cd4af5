// SPDX-License-Identifier: Apache-2.0
// SQLite alone, for the comparison: rows of 127 bytes, as many as topic and payload have.
//   bare_inserts ROWS FILE      prints rows a second
#include "bench/bare_inserts.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bare_inserts ROWS FILE\n");
    return 64;
  }
  const std::string data(127, 'x');
  std::printf("%.0f\n",
              sluice::bench::bare_inserts_per_second(argv[2], std::strtoull(argv[1], nullptr, 10), data));
}
