// SPDX-License-Identifier: Apache-2.0
#include "allocations.hpp"

#include <stdlib.h>

#include <new>

namespace {

thread_local std::size_t count = 0;

}  // namespace

std::size_t allocations_of_this_thread() {
  return count;
}

void* operator new(std::size_t size) {
  ++count;
  if (void* made = ::malloc(size == 0 ? 1 : size)) return made;
  throw std::bad_alloc();
}
// The array forms too: by default they end in the others, but a sanitizer's runtime has its own.
void* operator new[](std::size_t size) {
  return operator new(size);
}
void operator delete(void* made) noexcept {
  ::free(made);
}
void operator delete(void* made, std::size_t) noexcept {
  ::free(made);
}
void operator delete[](void* made) noexcept {
  operator delete(made);
}
void operator delete[](void* made, std::size_t) noexcept {
  operator delete(made);
}
