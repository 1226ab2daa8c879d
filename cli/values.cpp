#include "cli/values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <string>

#include "core/analyze.h"
#include "core/characters.h"

namespace tpsim::cli {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

constexpr std::array<Unit, 9> kUnits = {{{"", 1},
                                         {"k", 1000},
                                         {"m", 1000'000},
                                         {"g", 1000'000'000},
                                         {"t", 1000'000'000'000},
                                         {"ki", 1LL << 10},
                                         {"mi", 1LL << 20},
                                         {"gi", 1LL << 30},
                                         {"ti", 1LL << 40}}};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

Error bad_tp(std::string_view text) {
  Error error =
      usage_error("\"" + std::string(text) + "\" is not a list of sizes from 1 to " + std::to_string(kMaxRanks));
  error.fixes = {"--tp 1,2,4,8   or   --tp 1..16   or   --tp valid"};
  return error;
}

std::optional<int> parse_rank_count(std::string_view text) {
  const auto n = parse_size(text);
  if (!n || *n < 1 || *n > kMaxRanks) return std::nullopt;
  return static_cast<int>(*n);
}

// One item of a list: "4" or "1..16".
bool append_sizes(std::string_view item, std::vector<int>& sizes) {
  const auto dots = item.find("..");
  const auto first = parse_rank_count(item.substr(0, dots));
  const auto last = dots == std::string_view::npos ? first : parse_rank_count(item.substr(dots + 2));
  if (!first || !last || *first > *last) return false;
  for (int n = *first; n <= *last; ++n) sizes.push_back(n);
  return true;
}

}  // namespace

std::optional<std::int64_t> parse_size(std::string_view text) {
  std::int64_t n = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, status] = std::from_chars(text.data(), end, n);
  if (status != std::errc()) return std::nullopt;
  const std::string unit = lower(std::string_view(rest, static_cast<std::size_t>(end - rest)));
  for (const Unit& u : kUnits) {
    if (u.name != unit) continue;
    const std::int64_t limit = std::numeric_limits<std::int64_t>::max() / u.factor;
    if (n > limit || n < -limit) return std::nullopt;
    return n * u.factor;
  }
  return std::nullopt;
}

Result<std::int64_t> parse_number(std::string_view text, std::int64_t low, std::int64_t high) {
  const auto n = parse_size(text);
  if (n && *n >= low && *n <= high) return *n;
  return usage_error("\"" + std::string(text) + "\" is not a whole number from " + std::to_string(low) + " to " +
                     std::to_string(high));
}

Result<TpChoice> parse_tp(std::string_view text) {
  if (text == "valid") return TpChoice{true, {}};
  TpChoice choice;
  for (const auto& item : split_list(text))
    if (!append_sizes(item, choice.sizes)) return bad_tp(text);
  if (choice.sizes.empty()) return bad_tp(text);
  std::sort(choice.sizes.begin(), choice.sizes.end());
  choice.sizes.erase(std::unique(choice.sizes.begin(), choice.sizes.end()), choice.sizes.end());
  return choice;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    const auto item = trimmed(text.substr(0, comma));
    if (!item.empty()) items.emplace_back(item);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return items;
}

}  // namespace tpsim::cli
