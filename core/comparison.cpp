#include "core/comparison.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace tpsim {
namespace {

std::map<std::string, TimeShare> by_kernel(const Figure& figure) {
  std::map<std::string, TimeShare> shares;
  for (const TimeShare& share : figure.shares) {
    TimeShare& sum = shares[share.kernel];
    sum.us += share.us;
    sum.band = std::max(sum.band, share.band);
  }
  return shares;
}

double spread(const std::map<std::string, TimeShare>& shares) {
  double sum = 0;
  for (const auto& [kernel, share] : shares) sum += share.us * share.band;
  return sum;
}

// Takes out what both have.
void cancel(std::map<std::string, TimeShare>& a, std::map<std::string, TimeShare>& b, double& remaining) {
  for (auto& [kernel, share] : a) {
    const auto other = b.find(kernel);
    if (other == b.end()) continue;
    // The common error acts on the difference of the two times.
    remaining += std::abs(share.us - other->second.us) * share.band;
    share.us = other->second.us = 0;
  }
}

double open_band(const Candidate& before, const Candidate& after, const Figure& a, const Figure& b) {
  auto left = by_kernel(a), right = by_kernel(b);
  double common = 0, correlation = 0;
  if (before.machine == after.machine) {
    cancel(left, right, common);
    correlation = before.ranks == after.ranks ? kSharedError : 0;
  }
  const double x = spread(left), y = spread(right);
  const double rest = std::sqrt(std::max(0.0, x * x + y * y - 2 * correlation * x * y));
  return a.value > 0 ? std::hypot(common, rest) / a.value : 0;
}

const Figure* find(const Candidate& candidate, const std::string& name) {
  const auto it =
      std::find_if(candidate.figures.begin(), candidate.figures.end(), [&](const Figure& f) { return f.name == name; });
  return it == candidate.figures.end() ? nullptr : &*it;
}

FigureChange changed(const Candidate& before, const Candidate& after, const Figure& a, const Figure& b) {
  FigureChange change{a.name, a.unit, a.value, b.value, 0, 0, false, a.lower_is_better};
  change.change = a.value > 0 ? b.value / a.value - 1 : b.value > 0 ? INFINITY : 0;
  change.band = open_band(before, after, a, b);
  change.differs = std::abs(change.change) > change.band + 1e-12;
  return change;
}

bool same(const ModuleFigures& a, const ModuleFigures& b) {
  return a.strategy == b.strategy && a.rank_bytes == b.rank_bytes && a.collectives == b.collectives &&
         a.wire_bytes == b.wire_bytes && std::abs(a.us - b.us) <= 1e-9 * std::max(a.us, b.us);
}

std::vector<ModuleChange> changed_modules(const Candidate& before, const Candidate& after) {
  std::vector<ModuleChange> changes;
  const auto named = [](const std::vector<ModuleFigures>& list, const std::string& name) {
    return std::find_if(list.begin(), list.end(), [&](const ModuleFigures& m) { return m.module == name; });
  };
  for (const ModuleFigures& a : before.modules) {
    const auto b = named(after.modules, a.module);
    if (b == after.modules.end())
      changes.push_back({a, {}});
    else if (!same(a, *b))
      changes.push_back({a, *b});
  }
  for (const ModuleFigures& b : after.modules)
    if (named(before.modules, b.module) == before.modules.end()) changes.push_back({{}, b});
  return changes;
}

}  // namespace

Comparison compare(const Candidate& before, const Candidate& after) {
  Comparison comparison{before.label, after.label, {}, changed_modules(before, after)};
  for (const Figure& a : before.figures)
    if (const Figure* b = find(after, a.name)) comparison.figures.push_back(changed(before, after, a, *b));
  return comparison;
}

}  // namespace tpsim
