#include "core/suggest.h"

#include <algorithm>
#include <cctype>
#include <optional>

namespace tpsim {

namespace {

// Longer texts are no names; and the work over all candidates is bounded in cells of the distance table.
constexpr std::size_t kLongestWord = 200;
constexpr std::size_t kMostCells = 20'000'000;
constexpr std::size_t kShortestInfix = 3;

// Lower case letters and digits only: "H100-SXM" -> "h100sxm".
std::string essence(std::string_view word) {
  std::string letters;
  for (const char c : word) {
    const auto code = static_cast<unsigned char>(c);
    if (std::isalnum(code) != 0) letters += static_cast<char>(std::tolower(code));
  }
  return letters.empty() ? std::string(word) : letters;
}

// Damerau-Levenshtein distance (adjacent swaps count one) if at most `limit`. Only the diagonal band that can stay
// within the limit is computed; cells outside it count as limit + 1.
std::optional<std::size_t> distance_within(std::string_view a, std::string_view b, std::size_t limit) {
  const std::size_t gap = a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
  if (gap > limit) return std::nullopt;
  const std::size_t far = limit + 1;
  std::vector<std::size_t> before_last(b.size() + 1, far), last(b.size() + 1, far), row(b.size() + 1, far);
  for (std::size_t j = 0; j <= std::min(b.size(), limit); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    const std::size_t begin = i > limit ? i - limit : 1;
    const std::size_t end = std::min(b.size(), i + limit);
    row.assign(b.size() + 1, far);
    if (i <= limit) row[0] = i;
    for (std::size_t j = begin; j <= end; ++j) {
      const std::size_t substitution = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, substitution, far});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  if (last[b.size()] > limit) return std::nullopt;
  return last[b.size()];
}

bool contains_other(std::string_view a, std::string_view b) {
  const std::string_view& shorter = a.size() < b.size() ? a : b;
  const std::string_view& longer = a.size() < b.size() ? b : a;
  return shorter.size() >= kShortestInfix && longer.find(shorter) != std::string_view::npos;
}

// Smaller is nearer. An infix costs what has to be added to it.
std::optional<std::size_t> farness(std::string_view word, std::string_view candidate) {
  const std::size_t limit = std::max<std::size_t>(1, std::max(word.size(), candidate.size()) / 3);
  if (const auto distance = distance_within(word, candidate, limit)) return distance;
  if (!contains_other(word, candidate)) return std::nullopt;
  return std::max(word.size(), candidate.size()) - std::min(word.size(), candidate.size());
}

}  // namespace

std::vector<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates, std::size_t count) {
  struct Match {
    std::size_t farness;
    const std::string* name;
  };
  std::vector<Match> matches;
  const std::string wanted = essence(word.substr(0, kLongestWord));
  std::size_t cells = 0;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongestWord || cells > kMostCells) continue;
    const std::string offered = essence(candidate);
    cells += offered.size() * (wanted.size() / 3 + 2);
    if (const auto far = farness(wanted, offered)) matches.push_back({*far, &candidate});
  }
  std::stable_sort(matches.begin(), matches.end(),
                   [](const Match& a, const Match& b) { return a.farness < b.farness; });
  std::vector<std::string> names;
  for (const Match& match : matches) {
    if (names.size() == count) break;
    if (std::find(names.begin(), names.end(), *match.name) == names.end()) names.push_back(*match.name);
  }
  return names;
}

}  // namespace tpsim
