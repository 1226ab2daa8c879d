#include "sim/quantity.h"

#include <charconv>
#include <cmath>

namespace tpsim {
namespace {

std::string_view without_suffix(std::string_view text, std::string_view suffix) {
  return text.substr(0, text.size() - suffix.size());
}

// "", "k", "M" ... and "Ki", "Mi" ... as factors.
std::optional<double> prefix_factor(std::string_view prefix) {
  constexpr std::string_view kLetters = "kMGTPE";
  if (prefix.empty()) return 1;
  const bool binary = prefix.size() == 2 && prefix[1] == 'i';
  if (prefix.size() != 1 && !binary) return std::nullopt;
  const std::size_t power = kLetters.find(prefix[0] == 'K' ? 'k' : prefix[0]);
  if (power == std::string_view::npos) return std::nullopt;
  return std::pow(binary ? 1024.0 : 1000.0, static_cast<double>(power + 1));
}

std::optional<double> bytes_factor(std::string_view unit) {
  if (unit.ends_with("B")) return prefix_factor(without_suffix(unit, "B"));
  return std::nullopt;
}

std::optional<double> rate_factor(std::string_view unit) {
  for (const std::string_view ending : {"/s", "ps"}) {
    if (!unit.ends_with(ending)) continue;
    const std::string_view amount = without_suffix(unit, ending);
    if (!amount.ends_with("bit")) return bytes_factor(amount);
    const auto bits = prefix_factor(without_suffix(amount, "bit"));
    return bits ? std::optional(*bits / 8) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<double> flops_factor(std::string_view unit) {
  for (const std::string_view ending : {"FLOPs/s", "FLOP/s", "FLOPS"})
    if (unit.ends_with(ending)) return prefix_factor(without_suffix(unit, ending));
  return std::nullopt;
}

std::optional<double> seconds_factor(std::string_view unit) {
  if (unit == "s") return 1;
  if (unit == "ms") return 1e-3;
  if (unit == "us" || unit == "\u00b5s" || unit == "\u03bcs") return 1e-6;
  if (unit == "ns") return 1e-9;
  return std::nullopt;
}

std::optional<double> factor_of(std::string_view unit, Quantity quantity) {
  switch (quantity) {
    case Quantity::bytes: return bytes_factor(unit);
    case Quantity::bytes_per_second: return rate_factor(unit);
    case Quantity::flops_per_second: return flops_factor(unit);
    case Quantity::seconds: return seconds_factor(unit);
  }
  return std::nullopt;
}

}  // namespace

std::optional<double> parse_quantity(std::string_view text, Quantity quantity) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, status] = std::from_chars(text.data(), end, value);
  if (status != std::errc() || !std::isfinite(value)) return std::nullopt;
  std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  const auto factor = factor_of(unit, quantity);
  return factor ? std::optional(value * *factor) : std::nullopt;
}

const char* example_of(Quantity quantity) {
  switch (quantity) {
    case Quantity::bytes: return "an amount of memory such as \"80 GB\" or \"79.65 GiB\"";
    case Quantity::bytes_per_second: return "a rate such as \"3.35 TB/s\"";
    case Quantity::flops_per_second: return "a rate such as \"989 TFLOP/s\"";
    case Quantity::seconds: return "a time such as \"2.6 us\"";
  }
  return "";
}

}  // namespace tpsim
