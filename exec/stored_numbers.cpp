#include "exec/stored_numbers.h"

#include <cstring>

#include "exec/half_bits.h"

namespace tpsim::exec {

std::vector<unsigned char> stored_bits(std::span<const float> numbers, Stored stored) {
  std::vector<unsigned char> bits(numbers.size() * static_cast<std::size_t>(size_of(stored)));
  if (stored == Stored::fp32) {
    if (!numbers.empty()) std::memcpy(bits.data(), numbers.data(), bits.size());
    return bits;
  }
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::uint16_t half = stored == Stored::bf16 ? bf16_bits(numbers[i]) : fp16_bits(numbers[i]);
    std::memcpy(bits.data() + 2 * i, &half, 2);
  }
  return bits;
}

std::vector<float> numbers_of(std::span<const unsigned char> bits, Stored stored) {
  std::vector<float> numbers(bits.size() / static_cast<std::size_t>(size_of(stored)));
  if (stored == Stored::fp32) {
    if (!numbers.empty()) std::memcpy(numbers.data(), bits.data(), bits.size());
    return numbers;
  }
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    std::uint16_t half;
    std::memcpy(&half, bits.data() + 2 * i, 2);
    numbers[i] = stored == Stored::bf16 ? of_bf16(half) : of_fp16(half);
  }
  return numbers;
}

}  // namespace tpsim::exec
