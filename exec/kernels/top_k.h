// The choice of the largest numbers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace tpsim::exec {

// Indices of the k largest of n values, largest first. Of equal ones those that torch's topk takes on a CPU: it
// selects them by the same algorithms of the standard library (ATen/native/TopKImpl.h).
template <class Real>
std::vector<std::int64_t> largest(const Real* values, std::int64_t n, std::int64_t k) {
  using Entry = std::pair<Real, std::int64_t>;
  std::vector<Entry> entries;
  for (std::int64_t i = 0; i < n; ++i) entries.emplace_back(values[i], i);
  const auto larger = [](const Entry& a, const Entry& b) { return a.first > b.first; };
  const auto end = entries.begin() + k;
  if (k * 64 <= n) {
    std::partial_sort(entries.begin(), end, entries.end(), larger);
  } else if (k > 0) {
    std::nth_element(entries.begin(), end - 1, entries.end(), larger);
    std::sort(entries.begin(), end - 1, larger);
  }
  std::vector<std::int64_t> indices;
  for (auto entry = entries.begin(); entry != end; ++entry) indices.push_back(entry->second);
  return indices;
}

}  // namespace tpsim::exec
