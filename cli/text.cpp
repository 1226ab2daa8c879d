#include "cli/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace tpsim::cli {
namespace {

struct Scale {
  double factor;
  const char* name;
};
constexpr std::array<Scale, 5> kIec = {{{1, "B"}, {0x1p10, "KiB"}, {0x1p20, "MiB"}, {0x1p30, "GiB"}, {0x1p40, "TiB"}}};
constexpr std::array<Scale, 5> kSi = {{{1, "B"}, {1e3, "kB"}, {1e6, "MB"}, {1e9, "GB"}, {1e12, "TB"}}};
constexpr std::array<Scale, 6> kRates = {{{1, ""}, {1e3, "k"}, {1e6, "M"}, {1e9, "G"}, {1e12, "T"}, {1e15, "P"}}};

template <std::size_t N>
const Scale& scale_for(double value, const std::array<Scale, N>& scales) {
  std::size_t i = N - 1;
  while (i > 0 && std::abs(value) < scales[i].factor) --i;
  return scales[i];
}

bool continues_code_point(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Three significant figures or all digits of the whole part.
std::string three_figures(double value) {
  const double size = std::abs(value);
  return fixed(value, size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

}  // namespace

std::string fixed(double value, int decimals) {
  if (!std::isfinite(value)) return "-";
  std::array<char, 400> buffer{};
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, decimals).ptr;
  return {buffer.data(), end};
}

std::string grouped(std::int64_t value) {
  std::string digits = std::to_string(value);
  const std::size_t first = digits.front() == '-' ? 1 : 0;
  for (std::size_t i = digits.size(); i > first + 3;) digits.insert(i -= 3, ",");
  return digits;
}

std::string percent(double share, int decimals) {
  const std::string text = fixed(share * 100, decimals);
  return text == "-" ? text : text + "%";
}

std::string plural(std::int64_t n, std::string_view one, std::string_view many) {
  const std::string word = n == 1 ? std::string(one) : many.empty() ? std::string(one) + "s" : std::string(many);
  return grouped(n) + " " + word;
}

std::string joined(const std::vector<std::string>& items, std::string_view separator) {
  std::string text;
  for (const auto& item : items) {
    if (!text.empty()) text += separator;
    text += item;
  }
  return text;
}

std::vector<std::string> distinct(const std::vector<std::string>& items) {
  std::vector<std::string> once;
  for (const auto& item : items)
    if (std::find(once.begin(), once.end(), item) == once.end()) once.push_back(item);
  return once;
}

std::string joined(const std::vector<int>& items, std::string_view separator) {
  std::vector<std::string> words;
  for (const int item : items) words.push_back(std::to_string(item));
  return joined(words, separator);
}

std::string size_list(const std::vector<int>& ascending) {
  std::vector<std::string> items;
  for (std::size_t i = 0; i < ascending.size();) {
    std::size_t end = i + 1;
    while (end < ascending.size() && ascending[end] == ascending[end - 1] + 1) ++end;
    constexpr std::size_t shortest_run = 4;
    if (end - i < shortest_run) end = i + 1;
    const std::string first = std::to_string(ascending[i]);
    items.push_back(end == i + 1 ? first : first + ".." + std::to_string(ascending[end - 1]));
    i = end;
  }
  return joined(items, " ");
}

std::size_t display_width(std::string_view text) {
  return text.size() - static_cast<std::size_t>(std::count_if(text.begin(), text.end(), continues_code_point));
}

std::string padded(std::string_view text, std::size_t width, bool right_aligned) {
  const std::size_t used = display_width(text);
  const std::string space(width > used ? width - used : 0, ' ');
  return right_aligned ? space + std::string(text) : std::string(text) + space;
}

std::string shortened(std::string_view text, std::size_t width) {
  if (display_width(text) <= width || width < 8) return std::string(text);
  std::size_t head = (width - 3) / 2, tail = text.size() - (width - 3 - head);
  while (head > 0 && continues_code_point(text[head])) --head;
  while (tail < text.size() && continues_code_point(text[tail])) ++tail;
  return std::string(text.substr(0, head)) + "..." + std::string(text.substr(tail));
}

std::string cut_short(std::string_view text, std::size_t width) {
  if (display_width(text) <= width || width < 4) return std::string(text);
  std::size_t end = width - 3;
  while (end > 0 && continues_code_point(text[end])) --end;
  return std::string(text.substr(0, end)) + "...";
}

std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines(1);
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    const auto word = text.substr(0, end);
    if (!lines.back().empty() && display_width(lines.back()) + 1 + display_width(word) > width) {
      while (lines.back().ends_with(' ')) lines.back().pop_back();
      lines.emplace_back();
    }
    if (!lines.back().empty()) lines.back() += ' ';
    lines.back() += word;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

const char* bytes_unit(Units units) {
  switch (units) {
    case Units::iec: return "GiB";
    case Units::si: return "GB";
    case Units::bytes: return "bytes";
  }
  return "";
}

std::string bytes_number(std::int64_t bytes, Units units) {
  switch (units) {
    case Units::iec: return fixed(static_cast<double>(bytes) / 0x1p30, 2);
    case Units::si: return fixed(static_cast<double>(bytes) / 1e9, 2);
    case Units::bytes: return std::to_string(bytes);
  }
  return "";
}

std::string bytes_text(std::int64_t bytes, Units units) {
  if (units == Units::bytes) return grouped(bytes) + " bytes";
  const double value = static_cast<double>(bytes);
  const Scale& scale = scale_for(value, units == Units::iec ? kIec : kSi);
  if (scale.factor == 1) return grouped(bytes) + " B";
  return fixed(value / scale.factor, 2) + " " + scale.name;
}

std::string rate_text(double per_second, std::string_view unit) {
  const Scale& scale = scale_for(per_second, kRates);
  return three_figures(per_second / scale.factor) + " " + scale.name + std::string(unit);
}

std::string time_text(double seconds) {
  if (!std::isfinite(seconds)) return "-";
  if (seconds >= 1) return three_figures(seconds) + " s";
  if (seconds >= 1e-3) return three_figures(seconds * 1e3) + " ms";
  return three_figures(seconds * 1e6) + " us";
}

}  // namespace tpsim::cli
