#include "cli/fail_if.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <locale>
#include <sstream>
#include <utility>

#include "cli/text.h"

namespace tpsim::cli {
namespace {

Error bad_form(std::string_view text) {
  Error error = usage_error("\"" + std::string(text) + "\" is not of the form FIGURE>+5% or FIGURE<VALUE");
  error.fixes = {"--fail-if 'decode>+5%'"};
  return error;
}

double unit_factor(std::string_view unit) {
  static constexpr std::array<std::pair<std::string_view, double>, 9> units = {{{"", 1},
                                                                                {"us", 1},
                                                                                {"ms", 1e3},
                                                                                {"s", 1e6},
                                                                                {"KiB", 1024},
                                                                                {"MiB", 1048576},
                                                                                {"GiB", 1073741824},
                                                                                {"MB", 1e6},
                                                                                {"GB", 1e9}}};
  for (const auto& [name, factor] : units)
    if (name == unit) return factor;
  return 0;
}

}  // namespace

Result<FailIf> parse_fail_if(std::string_view text) {
  const auto sign = text.find_first_of("<>");
  if (sign == std::string_view::npos || sign == 0) return bad_form(text);
  FailIf condition{std::string(text), std::string(text.substr(0, sign)), text[sign] == '>', false, 0};
  std::istringstream stream{std::string(text.substr(sign + 1))};
  stream.imbue(std::locale::classic());
  std::string unit;
  if (!(stream >> condition.limit) || !std::isfinite(condition.limit)) return bad_form(text);
  stream >> unit;
  condition.relative = unit == "%";
  const double factor = condition.relative ? 0.01 : unit_factor(unit);
  if (factor == 0) return bad_form(text);
  condition.limit *= factor;
  return condition;
}

Result<bool> holds(const FailIf& condition, const Comparison& comparison) {
  const auto it = std::find_if(comparison.figures.begin(), comparison.figures.end(),
                               [&](const FigureChange& f) { return f.name == condition.figure; });
  if (it == comparison.figures.end()) {
    std::vector<std::string> names;
    for (const auto& figure : comparison.figures) names.push_back(figure.name);
    Error error = usage_error("--fail-if: no figure \"" + condition.figure + "\" in this comparison");
    error.details.push_back("figures: " + joined(names, ", "));
    return error;
  }
  const double value = condition.relative ? it->change : it->after;
  return condition.above ? value > condition.limit : value < condition.limit;
}

}  // namespace tpsim::cli
