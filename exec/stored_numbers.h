// Numbers as they lie in a device's memory.
#pragma once

#include <span>
#include <vector>

#include "exec/device_ops.h"

namespace tpsim::exec {

// Rounded to the nearest, ties to even.
std::vector<unsigned char> stored_bits(std::span<const float> numbers, Stored stored);
std::vector<float> numbers_of(std::span<const unsigned char> bits, Stored stored);

}  // namespace tpsim::exec
