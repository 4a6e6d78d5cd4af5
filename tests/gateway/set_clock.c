// SPDX-License-Identifier: Apache-2.0
// Sets the wall clock, and tells the kernel that it is synchronised from now on, as an NTP client does.
//   set_clock NANOSECONDS      since 1970 UTC
#include <stdio.h>
#include <stdlib.h>
#include <sys/timex.h>
#include <time.h>

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: set_clock NANOSECONDS\n");
    return 64;
  }
  const long long ns = atoll(argv[1]);
  const struct timespec time = {ns / 1000000000, ns % 1000000000};
  if (clock_settime(CLOCK_REALTIME, &time) != 0) {
    perror("clock_settime");
    return 1;
  }
  // Setting it has made the kernel call it unsynchronised.
  struct timex state = {0};
  state.modes = ADJ_STATUS | ADJ_MAXERROR | ADJ_ESTERROR;
  state.status = STA_PLL;
  state.maxerror = 1000;
  state.esterror = 1000;
  if (adjtimex(&state) < 0) {
    perror("adjtimex");
    return 1;
  }
  return 0;
}
