#include "core/dialect.h"

#include <charconv>
#include <vector>

namespace tpsim {

Generation Dialect::generation() const {
  if (below(4, 50)) return Generation::dtensor_modules;
  if (below(5, 1)) return Generation::dtensor_hooks;
  if (below(5, 16)) return Generation::plain_hooks;
  return Generation::dtensor_forward;
}

Result<Dialect> parse_dialect(std::string_view text) {
  const std::string given(text);
  constexpr std::string_view prefix = "transformers-";
  constexpr std::string_view suffix = "+tpsim";
  const bool extensions = text.ends_with(suffix);
  if (extensions) text.remove_suffix(suffix.size());
  if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  if (text == "latest") return Dialect{kNewestDialect.major, kNewestDialect.minor, kNewestDialect.patch, extensions};
  std::vector<int> numbers;
  while (numbers.size() < 3) {
    int n = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (status != std::errc() || n < 0) break;
    numbers.push_back(n);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.empty() || text.front() != '.') break;
    text.remove_prefix(1);
  }
  Error error =
      usage_error("\"" + given + "\" is not a dialect: expected transformers-MAJOR.MINOR[.PATCH][+tpsim] or latest");
  error.fixes.push_back("--dialect latest   or   --dialect transformers-5.15");
  if (numbers.size() < 2 || !text.empty()) return error;
  const Dialect dialect{numbers[0], numbers[1], numbers.size() > 2 ? numbers[2] : 0, extensions};
  const bool known_minor =
      dialect.major == 4 ? dialect.minor >= 47 && dialect.minor <= 57 : dialect.major == 5 && dialect.minor <= 23;
  if (known_minor) return dialect;
  error.message = "no dialect " + given + ": tpsim knows Transformers 4.47 to 4.57 and 5.0 to 5.23";
  return error;
}

std::string to_string(const Dialect& d) {
  std::string text = "transformers-" + std::to_string(d.major) + "." + std::to_string(d.minor);
  if (d.patch != 0) text += "." + std::to_string(d.patch);
  return d.extensions ? text + "+tpsim" : text;
}

}  // namespace tpsim
