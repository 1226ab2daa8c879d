// "3.35 TB/s", "80 GB", "2.6 us": text with units as numbers in base units.
#pragma once

#include <optional>
#include <string_view>

namespace tpsim {

enum class Quantity { bytes, bytes_per_second, flops_per_second, seconds };

// Decimal and binary prefixes for bytes (GB, GiB), "/s" or "ps" for rates (GB/s, GBps), bits where they are spelt out
// (Gbit/s), TFLOP/s or TFLOPS, and s to ns. None where the text is no number with such a unit.
std::optional<double> parse_quantity(std::string_view text, Quantity quantity);

// What to write: "a rate such as \"3.35 TB/s\"".
const char* example_of(Quantity quantity);

}  // namespace tpsim
