#include "cli/module_match.h"

#include <algorithm>
#include <charconv>

#include "cli/text.h"
#include "core/module_path.h"

namespace tpsim::cli {
namespace {

bool holds_index(const std::vector<int>& indices, const std::string& text) {
  int n = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), n);
  const bool number = status == std::errc() && end == text.data() + text.size();
  return number && std::find(indices.begin(), indices.end(), n) != indices.end();
}

// `wanted` from component `begin` of the pattern on; wildcards of the pattern become what `wanted` says.
std::optional<std::vector<std::string>> match_at(const ShardSpec& spec, std::vector<std::string> pattern,
                                                 const std::vector<std::string>& wanted, std::size_t begin) {
  auto wildcard =
      static_cast<std::size_t>(std::count(pattern.begin(), pattern.begin() + static_cast<std::ptrdiff_t>(begin), "*"));
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    std::string& part = pattern[begin + i];
    if (part == "*") {
      const bool open = wanted[i] == "*";
      if (!open && !holds_index(spec.indices[wildcard], wanted[i])) return std::nullopt;
      part = wanted[i];
      ++wildcard;
    } else if (part != wanted[i]) {
      return std::nullopt;
    }
  }
  return pattern;
}

}  // namespace

std::optional<std::string> match_parameters(const ShardSpec& spec, std::string_view wanted) {
  const auto parts = path_components(wanted);
  const auto pattern = path_components(spec.pattern);
  if (parts.empty()) return std::nullopt;
  for (std::size_t begin = 0; begin + parts.size() <= pattern.size(); ++begin)
    if (const auto found = match_at(spec, pattern, parts, begin)) return joined(*found, ".");
  return std::nullopt;
}

}  // namespace tpsim::cli
