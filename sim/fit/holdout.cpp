#include "sim/fit/holdout.h"

#include <algorithm>
#include <cstdint>
#include <locale>
#include <map>
#include <set>
#include <sstream>

namespace tpsim {

std::uint64_t group_hash(std::string_view group) {
  std::uint64_t hash = 14695981039346656037u;
  for (char c : group) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash;
}

std::vector<int> group_folds(std::span<const std::string> group_of_row, int folds) {
  std::map<std::string_view, int> fold_of;
  for (const std::string& group : group_of_row) fold_of.emplace(group, 0);
  std::vector<std::string_view> order;
  for (const auto& [group, fold] : fold_of) order.push_back(group);
  std::stable_sort(order.begin(), order.end(),
                   [](std::string_view a, std::string_view b) { return group_hash(a) < group_hash(b); });
  for (std::size_t i = 0; i < order.size(); ++i)
    fold_of[order[i]] = static_cast<int>(i % static_cast<std::size_t>(std::max(folds, 1)));
  std::vector<int> result;
  result.reserve(group_of_row.size());
  for (const std::string& group : group_of_row) result.push_back(fold_of[group]);
  return result;
}

std::vector<int> group_folds(std::span<const double> group_of_row, int folds) {
  std::vector<std::string> names;
  names.reserve(group_of_row.size());
  for (double group : group_of_row) {
    std::ostringstream text;
    text.imbue(std::locale::classic());
    text << group;
    names.push_back(text.str());
  }
  return group_folds(names, folds);
}

std::vector<int> spread_folds(std::span<const double> group_of_row, int folds) {
  const std::set<double> groups(group_of_row.begin(), group_of_row.end());
  std::map<double, int> fold_of;
  int next = 0;
  for (double group : groups) fold_of[group] = next++ % std::max(folds, 1);
  std::vector<int> result;
  result.reserve(group_of_row.size());
  for (double group : group_of_row) result.push_back(fold_of[group]);
  return result;
}

}  // namespace tpsim
