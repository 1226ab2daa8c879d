#include "sim/network/few_rows_fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "sim/fit/least_squares.h"
#include "sim/network/branch_fit.h"
#include "sim/network/collective_holdout.h"
#include "sim/network/collective_model.h"
#include "sim/network/collective_series.h"

namespace tpsim {
namespace {

using Rows = std::vector<MeasuredCollective>;

// How far one sweep may move what the prior knows (standard deviations of a logarithm). One rank count cannot tell a
// step's time from the start, so the steps keep near the prior's.
constexpr BranchFreedom kFreedom{0.3, 0.1, 0.1, 0.1, 0.1, 0};
constexpr double kHeldOutBand = 0.2;  // of other rank counts and operations: nothing was measured

// One operation of one stack over a number of hosts.
struct Key {
  CollectiveOp op = CollectiveOp::all_reduce;
  CollectiveStack stack = CollectiveStack::nccl;
  bool eager = false;
  int nodes = 1;
  auto operator<=>(const Key&) const = default;
};
using Groups = std::map<Key, Rows>;

Key key_of(const CollectiveShape& s) { return {s.op, s.stack, s.eager, s.nodes}; }
Key key_of(const CollectiveModel& m) { return {m.op, m.stack, m.eager, m.nodes}; }

CollectiveModel* find_model(CollectiveNetwork& network, const Key& key) {
  for (CollectiveModel& m : network.models)
    if (key_of(m) == key && !m.integer) return &m;
  return nullptr;
}

double physics_ratio(const CollectiveModel& a, const CollectiveModel& b, double bytes, int ranks) {
  return physics_time(a, bytes, ranks).us / physics_time(b, bytes, ranks).us;
}

// What a fit has changed: of small messages, of large ones.
struct Change {
  double start = 1, wire = 1;
};

Change change_of(const CollectiveModel& before, const CollectiveModel& after, const Rows& rows) {
  double small = rows.front().shape.bytes, large = small;
  for (const auto& r : rows) {
    small = std::min(small, r.shape.bytes);
    large = std::max(large, r.shape.bytes);
  }
  const int ranks = rows.front().shape.ranks;
  constexpr double kSmall = 256 << 10, kLarge = 4 << 20;  // bytes that time goes by the start, by the wire
  Change c;
  if (small < kSmall) c.start = physics_ratio(after, before, small, ranks);
  if (large > kLarge) c.wire = physics_ratio(after, before, large, ranks);
  return c;
}

void apply(const Change& change, CollectiveModel& m) {
  const bool library = m.stack == CollectiveStack::nccl;
  for (CollectiveBranch& b : m.branches) {
    // Kernels of serving stacks have nothing of NCCL's start.
    if (library) b.base *= change.start, b.hop *= change.start;
    b.wire /= change.wire;
    b.local /= change.wire;
    b.ramp *= change.wire;
  }
  m.source = NumberSource::transferred;
  m.band = {};
  m.far_band = std::max(m.far_band, kHeldOutBand);
  m.ranks.clear();
}

void add_residual(CollectiveModel& model, const Rows& rows) {
  const auto series = series_of(rows);
  model.residual = fit_residual(model, series, {});
  model.ranks.clear();
  for (const auto& [ranks, points] : series) model.ranks.push_back(ranks);
  model.rows = static_cast<int>(rows.size());
  model.source = NumberSource::calibrated;
  model.stand_in = false;
  model.origin = rows.front().source + " on " + rows.front().gpu;
  prepare(model, 64);
}

// Within a host: the prior's branches, moved as far as the rows can tell.
void refit(CollectiveModel& model, const Rows& rows) {
  std::vector<FreeBranch> free;
  for (const CollectiveBranch& b : model.branches) {
    BranchFreedom f = kFreedom;
    if (b.base == 0) f.base = 0;
    if (b.hop == 0) f.hop = 0;
    if (b.wire == 0) f.wire = 0;
    if (b.local == 0) f.local = 0;
    if (b.ramp == 0) f.ramp = 0;
    free.push_back({b, f});
  }
  model.residual = {};
  model.knots.clear();
  model.branches = fit_free_branches(model.op, free, {}, rows);
}

// Enough of them decide without a prior.
bool are_many(const Rows& rows) {
  constexpr std::size_t kMany = 24;
  std::set<int> ranks;
  for (const auto& r : rows) ranks.insert(r.shape.ranks);
  return rows.size() >= kMany && ranks.size() >= 2;
}

CollectiveModel& model_for(CollectiveNetwork& network, const Key& key, const Rows& rows) {
  if (CollectiveModel* model = find_model(network, key); model != nullptr && !are_many(rows)) {
    refit(*model, rows);
    return *model;
  }
  RowsOfModel group;
  std::tie(group.key.op, group.key.stack, group.key.eager, group.key.nodes) =
      std::tie(key.op, key.stack, key.eager, key.nodes);
  group.rows = rows;
  if (key.nodes > 1) group.wire_hint = network.between.wire * rows.front().shape.ranks / key.nodes;
  const LinkKind link = key.nodes > 1 ? LinkKind{} : link_kind(rows.front().gpu, rows.front().topo);
  const CollectiveModel* library = find_model(network, {CollectiveOp::all_reduce, CollectiveStack::nccl, false, 1});
  const CollectiveModel* graph = find_model(network, {key.op, key.stack, false, key.nodes});
  CollectiveModel fitted = fit_branches(group, link, library, key.eager ? graph : nullptr);
  std::erase_if(network.models, [&](const CollectiveModel& m) { return key_of(m) == key && !m.integer; });
  return network.models.emplace_back(std::move(fitted));
}

void fit_within(CollectiveNetwork& network, const Groups& groups) {
  std::vector<Change> changes;
  for (const auto& [key, rows] : groups) {
    const CollectiveModel* prior = find_model(network, key);
    const std::optional<CollectiveModel> before = prior == nullptr ? std::nullopt : std::optional(*prior);
    CollectiveModel& model = model_for(network, key, rows);
    if (before && key.stack == CollectiveStack::nccl) changes.push_back(change_of(*before, model, rows));
    add_residual(model, rows);
  }
  if (changes.empty()) return;
  Change mean{0, 0};
  for (const Change& c : changes) {
    mean.start += std::log(c.start) / static_cast<double>(changes.size());
    mean.wire += std::log(c.wire) / static_cast<double>(changes.size());
  }
  mean = {std::exp(mean.start), std::exp(mean.wire)};
  for (CollectiveModel& m : network.models)
    if (m.nodes == 1 && (groups.count(key_of(m)) == 0 || m.integer)) apply(mean, m);
}

// Between hosts: the adapters' constants, then what they leave over for exactly these ranks.
void fit_over(CollectiveNetwork& network, const Rows& rows) {
  const NodeLink start = network.between;
  CollectiveNetwork trial = network;
  std::erase_if(trial.models, [](const CollectiveModel& m) { return m.nodes > 1; });
  const auto near = [](double value, double least, double sigma) {
    return FitParameter{std::max(value, least), 1e-3, 1e7, sigma / 0.03};
  };
  const std::array<FitParameter, 4> parameters{near(start.base, 5, 0.1), near(start.wire, 100, 0.1),
                                               near(start.ramp, 0.1, 0.1), near(start.flagged_share, 1e-3, 0.3)};
  const auto put = [&](std::span<const double> v) {
    trial.between.base = v[0];
    trial.between.wire = v[1];
    trial.between.ramp = v[2];
    trial.between.flagged_share = std::min(v[3], 1.0);
  };
  const auto fit = least_squares(parameters, rows.size(), [&](auto values, auto residuals) {
    put(values);
    for (std::size_t i = 0; i < rows.size(); ++i)
      residuals[i] = std::log(collective_time(rows[i].shape, trial).time.us / rows[i].us);
  });
  put(fit.values);
  std::vector<double> errors;
  for (const auto& r : rows) errors.push_back(std::abs(std::log(collective_time(r.shape, trial).time.us / r.us)));
  network.between = trial.between;
  network.between.source = NumberSource::calibrated;
  network.between.band = std::max(quantile(errors, 0.9), 0.03);
  network.between.origin = rows.front().source + " on " + rows.front().gpu;
}

CollectiveNetwork fit_few(const Rows& rows, const CollectiveNetwork& prior) {
  CollectiveNetwork network = prior;
  Groups within, over;
  Rows all_over;
  for (const auto& r : rows) {
    (r.shape.nodes == 1 ? within : over)[key_of(r.shape)].push_back(r);
    if (r.shape.nodes > 1) all_over.push_back(r);
  }
  fit_within(network, within);
  if (!all_over.empty()) fit_over(network, all_over);
  for (const auto& [key, group] : over) {
    std::erase_if(network.models, [&, k = key](const CollectiveModel& m) { return key_of(m) == k; });
    add_residual(model_for(network, key, group), group);
  }
  return network;
}

ErrorSummary errors_of(const Rows& rows, const CollectiveNetwork& network) {
  std::vector<double> predicted, measured;
  for (const auto& r : rows) {
    predicted.push_back(collective_time(r.shape, network).time.us);
    measured.push_back(r.us);
  }
  return summarise(predicted, measured);
}

// Every other size left out in turn; sets the bands of the measured rank counts.
ErrorSummary hold_out(const Rows& rows, const CollectiveNetwork& prior, CollectiveNetwork& network) {
  std::set<double> sizes;
  for (const auto& r : rows) sizes.insert(r.shape.bytes);
  std::vector<double> predicted, measured;
  struct Errors {
    std::vector<double> log2_bytes, log_ratio;
  };
  std::map<Key, Errors> errors;
  for (const int fold : {0, 1}) {
    Rows in, out;
    for (const auto& r : rows)
      (std::distance(sizes.begin(), sizes.find(r.shape.bytes)) % 2 == fold ? out : in).push_back(r);
    if (in.empty() || out.empty()) continue;
    const CollectiveNetwork fitted = fit_few(in, prior);
    for (const auto& r : out) {
      predicted.push_back(collective_time(r.shape, fitted).time.us);
      measured.push_back(r.us);
      Errors& e = errors[key_of(r.shape)];
      e.log2_bytes.push_back(std::log2(r.shape.bytes));
      e.log_ratio.push_back(std::log(r.us / predicted.back()));
    }
  }
  for (const auto& [key, list] : errors) {
    CollectiveModel* model = find_model(network, key);
    if (model == nullptr) continue;
    model->band = band_of(list.log2_bytes, list.log_ratio);
    model->far_band = std::max(*std::max_element(model->band.widths.begin(), model->band.widths.end()), kHeldOutBand);
  }
  return summarise(predicted, measured);
}

}  // namespace

NetworkFit fit_few_rows(std::span<const MeasuredCollective> rows, const CollectiveNetwork& prior) {
  const Rows all(rows.begin(), rows.end());
  NetworkFit fit;
  CollectiveNetwork network = fit_few(all, prior);
  fit.before = errors_of(all, prior);
  fit.after = errors_of(all, network);
  fit.held_out = hold_out(all, prior, network);
  fit.calibration.networks.push_back(std::move(network));
  return fit;
}

}  // namespace tpsim
