// Arithmetic on the numbers of collectives.
#pragma once

#include <cstddef>

#include "exec/communicator.h"

namespace tpsim::exec {

void add(Scalar scalar, const void* from, void* to, std::int64_t count);  // to += from
void copy(Scalar scalar, const void* from, void* to, std::int64_t count);

inline std::byte* at(const Numbers& numbers, std::int64_t index) {
  return static_cast<std::byte*>(numbers.data) + static_cast<std::size_t>(index) * size_of(numbers.scalar);
}

}  // namespace tpsim::exec
