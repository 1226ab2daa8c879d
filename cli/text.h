// Numbers and columns as text, independent of the locale.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"

namespace tpsim::cli {

std::string fixed(double value, int decimals);        // "3.50"; "-" for NaN and infinities
std::string grouped(std::int64_t value);              // "1,234,567"
std::string percent(double share, int decimals = 0);  // 0.123 -> "12%"
std::string plural(std::int64_t n, std::string_view one, std::string_view many = {});  // "1 rule", "2 rules"
std::string joined(const std::vector<std::string>& items, std::string_view separator);
std::vector<std::string> distinct(const std::vector<std::string>& items);  // each once, in order
std::string joined(const std::vector<int>& items, std::string_view separator);

// "1 2 4 8"; runs of four and more as "1..16".
std::string size_list(const std::vector<int>& ascending);

// Columns that UTF-8 text takes on a terminal, one per code point.
std::size_t display_width(std::string_view text);
std::string padded(std::string_view text, std::size_t width, bool right_aligned = false);
// At most `width` columns, the middle left out: "model.layers...weight".
std::string shortened(std::string_view text, std::size_t width);
// At most `width` columns, the end left out: "one all-gather of the..."
std::string cut_short(std::string_view text, std::size_t width);
// Lines of at most `width` columns, broken at spaces.
std::vector<std::string> wrapped(std::string_view text, std::size_t width);

// Bytes in a fixed unit for table columns ("131.42" under "GiB"), and with the unit that fits ("26.25 GiB").
const char* bytes_unit(Units units);
std::string bytes_number(std::int64_t bytes, Units units);
std::string bytes_text(std::int64_t bytes, Units units);
// "3.35 TB/s", "989 TFLOP/s"
std::string rate_text(double per_second, std::string_view unit);
// "1.06 ms", "9.2 us"
std::string time_text(double seconds);

}  // namespace tpsim::cli
