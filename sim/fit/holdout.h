// Rows kept aside by whole groups: widths, head counts, rank counts, models. Never by chance.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tpsim {

// FNV-1a: the same on every machine.
std::uint64_t group_hash(std::string_view group);

// One fold in [0, folds) per row. Rows of one group share a fold; groups are dealt out in the order of their hash, so
// folds differ by at most one group.
std::vector<int> group_folds(std::span<const std::string> group_of_row, int folds);
std::vector<int> group_folds(std::span<const double> group_of_row, int folds);
// Groups on a scale: the sorted values are dealt out in turn, so that neighbours land in different folds and every gap
// that a fold leaves is one value wide.
std::vector<int> spread_folds(std::span<const double> group_of_row, int folds);

}  // namespace tpsim
