#include "cli/rank_memory_line.h"

namespace tpsim::cli {
namespace {

using Ranks = std::vector<RankMemory>;

constexpr std::int64_t RankMemory::*kFields[] = {&RankMemory::weights,  &RankMemory::weights_replicated,
                                                 &RankMemory::kv_cache, &RankMemory::activations,
                                                 &RankMemory::logits,   &RankMemory::communication};

struct Knot {
  std::int64_t batch;
  const Ranks& ranks;
};

Ranks between(const Knot& low, const Knot& high, std::int64_t batch) {
  Ranks ranks = low.ranks;
  if (high.batch == low.batch || high.ranks.size() != ranks.size()) return ranks;
  for (std::size_t r = 0; r < ranks.size(); ++r)
    for (const auto field : kFields) {
      const std::int64_t rise = high.ranks[r].*field - low.ranks[r].*field;
      const std::int64_t span = high.batch - low.batch, step = batch - low.batch;
      ranks[r].*field += rise / span * step + rise % span * step / span;
    }
  return ranks;
}

bool equal(const Ranks& a, const Ranks& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t r = 0; r < a.size(); ++r)
    for (const auto field : kFields)
      if (a[r].*field != b[r].*field) return false;
  return true;
}

// The rise per sequence is a whole number of bytes.
bool rises_evenly(const Knot& low, const Knot& high) {
  if (low.ranks.size() != high.ranks.size()) return false;
  for (std::size_t r = 0; r < low.ranks.size(); ++r)
    for (const auto field : kFields)
      if ((high.ranks[r].*field - low.ranks[r].*field) % (high.batch - low.batch) != 0) return false;
  return true;
}

}  // namespace

Result<RankMemoryLine> RankMemoryLine::of(std::int64_t most, const Analyse& analyse) {
  RankMemoryLine memory;
  if (auto added = memory.add(1, analyse); !added) return added.error();
  if (most <= 1) return memory;
  if (auto added = memory.add(most, analyse); !added) return added.error();
  if (auto settled = memory.settle(1, most, analyse); !settled) return settled.error();
  return memory;
}

Result<void> RankMemoryLine::add(std::int64_t batch, const Analyse& analyse) {
  auto ranks = analyse(batch);
  if (!ranks) return ranks.error();
  known_[batch] = std::move(*ranks);
  return {};
}

Result<void> RankMemoryLine::settle(std::int64_t low, std::int64_t high, const Analyse& analyse) {
  if (high - low < 2) return {};
  const std::int64_t middle = low + (high - low) / 2;
  if (auto added = add(middle, analyse); !added) return added;
  const Knot from{low, known_[low]}, to{high, known_[high]};
  if (rises_evenly(from, to) && equal(between(from, to, middle), known_[middle])) {
    known_.erase(middle);
    return {};
  }
  if (auto settled = settle(low, middle, analyse); !settled) return settled;
  return settle(middle, high, analyse);
}

Ranks RankMemoryLine::at(std::int64_t batch) const {
  const auto high = known_.lower_bound(batch);
  if (high == known_.end()) return known_.rbegin()->second;
  if (high->first == batch || high == known_.begin()) return high->second;
  const auto low = std::prev(high);
  return between({low->first, low->second}, {high->first, high->second}, batch);
}

}  // namespace tpsim::cli
