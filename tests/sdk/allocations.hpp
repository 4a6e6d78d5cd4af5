// SPDX-License-Identifier: Apache-2.0
//
// Counts what a thread allocates: the test programs that link allocations.cpp replace operator new.
#pragma once

#include <cstddef>

std::size_t allocations_of_this_thread();
