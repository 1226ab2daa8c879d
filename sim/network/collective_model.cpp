#include "sim/network/collective_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

namespace tpsim {
namespace {

constexpr int kMostSharing = 8;  // a host's ranks; more of them do not make its paths narrower

struct Volume {
  double steps = 0, factor = 0;
};

double ring_steps(CollectiveOp op, double n) {
  switch (op) {
    case CollectiveOp::all_reduce: return 2 * (n - 1);
    case CollectiveOp::all_gather:
    case CollectiveOp::reduce_scatter:
    case CollectiveOp::all_to_all: return n - 1;
    case CollectiveOp::broadcast: return n;
    case CollectiveOp::send: return 1;
  }
  return 0;
}

Volume volume_of(Algorithm algorithm, CollectiveOp op, int ranks) {
  const double n = ranks;
  switch (algorithm) {
    case Algorithm::ring:
    case Algorithm::direct: return {ring_steps(op, n), bus_factor(op, ranks)};
    case Algorithm::nvls: return {n, bus_factor(op, ranks)};
    case Algorithm::one_shot: return {n - 1, n - 1};
    case Algorithm::two_shot: return {n - 1, 2 * (n - 1) / n};
    case Algorithm::multimem: return {n, 1 + 1 / n};
  }
  return {};
}

double log2_bytes(double bytes) { return std::log2(std::max(bytes, 1.0)); }

double residual_at(const CollectiveModel& model, double log2_size, int ranks) {
  const std::array<double, 2> at{log2_size, std::log2(static_cast<double>(ranks))};
  return model.residual.at(at);
}

}  // namespace

double bus_factor(CollectiveOp op, int ranks) {
  const double n = std::max(ranks, 1);
  switch (op) {
    case CollectiveOp::all_reduce: return 2 * (n - 1) / n;
    case CollectiveOp::all_gather:
    case CollectiveOp::reduce_scatter:
    case CollectiveOp::all_to_all: return (n - 1) / n;
    case CollectiveOp::broadcast:
    case CollectiveOp::send: return 1;
  }
  return 1;
}

double branch_us(const CollectiveBranch& b, CollectiveOp op, double bytes, int ranks) {
  if (ranks < b.least_ranks || ranks > b.most_ranks) return std::numeric_limits<double>::infinity();
  const Volume v = volume_of(b.algorithm, op, ranks);
  const double moved = bytes * v.factor;
  double us = b.base + b.hop * v.steps;
  if (b.wire > 0) {
    const double narrowed = b.sharing == 0 ? 1 : std::pow(std::min(ranks, kMostSharing) / 2.0, b.sharing);
    us += moved * narrowed / b.wire;
  }
  if (b.local > 0) us += bytes / ranks / b.local;
  if (b.ramp > 0) us += b.ramp * std::sqrt(moved / 1000);
  return us;
}

ModelTime physics_time(const CollectiveModel& model, double bytes, int ranks) {
  ModelTime best{std::numeric_limits<double>::infinity(), nullptr};
  for (const CollectiveBranch& branch : model.branches) {
    const double us = branch_us(branch, model.op, bytes, ranks);
    if (best.branch == nullptr || us < best.us) best = {us, &branch};
  }
  if (model.copy > 0) best.us += bytes / model.copy;
  best.us = std::max(best.us, model.floor);
  return best;
}

double corrected_us(const CollectiveModel& model, double bytes, int ranks, double physics_us) {
  if (model.residual.empty()) return physics_us;
  const auto& sizes = model.residual.axes().front().knots;
  const std::size_t n = sizes.size(), row = static_cast<std::size_t>(ranks - 2) * n;
  const double at = log2_bytes(bytes);
  if (row + n > model.knots.size()) return physics_us * std::exp(residual_at(model, at, ranks));
  const CollectiveModel::Knot* knots = model.knots.data() + row;
  if (at <= sizes.front() || at >= sizes.back()) {
    const CollectiveModel::Knot& end = knots[at <= sizes.front() ? 0 : n - 1];
    return physics_us * std::exp(end.log_us - end.log_physics);
  }
  const auto high = static_cast<std::size_t>(std::upper_bound(sizes.begin(), sizes.end(), at) - sizes.begin());
  const double upper = (at - sizes[high - 1]) / (sizes[high] - sizes[high - 1]);
  const CollectiveModel::Knot &below = knots[high - 1], &above = knots[high];
  const double low = below.log_us - below.log_physics, high_residual = above.log_us - above.log_physics;
  // Rising residuals on rising physics rise; with falling ones only the straight line between the knots surely does.
  if (high_residual < low) return std::exp(below.log_us + upper * (above.log_us - below.log_us));
  return physics_us * std::exp(low + upper * (high_residual - low));
}

double corrected_us(const CollectiveModel& model, double bytes, int ranks) {
  return corrected_us(model, bytes, ranks, physics_time(model, bytes, ranks).us);
}

void prepare(CollectiveModel& model, int most_ranks) {
  constexpr int kMostPrepared = 128;  // beyond, `knots` are not needed often enough
  model.knots.clear();
  if (model.residual.empty()) return;
  for (int ranks = 2; ranks <= std::min(most_ranks, kMostPrepared); ++ranks) {
    double last = -std::numeric_limits<double>::infinity();
    for (const double size : model.residual.axes().front().knots) {
      const double physics = std::log(physics_time(model, std::exp2(size), ranks).us);
      last = std::max(last, physics + residual_at(model, size, ranks));
      model.knots.push_back({last, physics});
    }
  }
}

namespace {

// Operations whose constants stand in, nearest first.
std::vector<CollectiveOp> relatives_of(CollectiveOp op) {
  using enum CollectiveOp;
  switch (op) {
    case all_reduce: return {reduce_scatter, all_gather, send};
    case all_gather: return {reduce_scatter, all_reduce, all_to_all, send};
    case reduce_scatter: return {all_gather, all_reduce, all_to_all, send};
    case all_to_all: return {all_gather, reduce_scatter, all_reduce, send};
    case broadcast: return {all_gather, reduce_scatter, all_reduce, send};
    case send: return {all_to_all, all_gather, reduce_scatter, all_reduce};
  }
  return {};
}

const CollectiveModel* library_model(CollectiveOp op, const CollectiveNetwork& network) {
  for (const CollectiveModel& m : network.models)
    if (m.op == op && m.stack == CollectiveStack::nccl && !m.integer && m.nodes == 1) return &m;
  return nullptr;
}

bool same_pattern(CollectiveOp a, CollectiveOp b) {
  const auto gathers = [](CollectiveOp op) {
    return op == CollectiveOp::all_gather || op == CollectiveOp::reduce_scatter;
  };
  return gathers(a) && gathers(b);
}

// Of a reduce-scatter by an all-gather (8 % apart on H100) and of other stand-ins.
constexpr double kNearBand = 0.15, kOtherBand = 0.35;

CollectiveModel stand_in(const CollectiveModel& relative, CollectiveOp op) {
  CollectiveModel m = relative;
  m.op = op;
  m.source = NumberSource::transferred;
  m.stand_in = true;
  m.origin = std::string("as ") + to_string(relative.op) + ": " + relative.origin;
  m.ranks.clear();
  m.band = {};
  m.far_band = same_pattern(relative.op, op) ? kNearBand : kOtherBand;
  if (same_pattern(relative.op, op)) return m;
  m.residual = {};
  m.knots.clear();
  const bool direct = op == CollectiveOp::all_to_all || op == CollectiveOp::send;
  std::erase_if(m.branches, [](const CollectiveBranch& b) { return b.algorithm == Algorithm::nvls; });
  for (CollectiveBranch& b : m.branches) {
    b.algorithm = direct ? Algorithm::direct : Algorithm::ring;
    if (direct) b.hop = 0;
  }
  return m;
}

// The part of a stack's all-reduce that is NCCL's, where NCCL alone was not measured.
std::optional<CollectiveModel> library_part(const CollectiveNetwork& network) {
  for (const CollectiveModel& measured : network.models) {
    if (measured.op != CollectiveOp::all_reduce || measured.eager || measured.integer || measured.nodes > 1) continue;
    CollectiveModel m = stand_in(measured, measured.op);
    m.stack = CollectiveStack::nccl;
    std::erase_if(m.branches, [](const CollectiveBranch& b) { return b.protocol == Protocol::none; });
    if (!m.branches.empty()) return m;
  }
  return std::nullopt;
}

}  // namespace

void complete(CollectiveNetwork& network) {
  for (CollectiveModel& m : network.models) prepare(m, network.domain * m.nodes);
  if (library_model(CollectiveOp::all_reduce, network) == nullptr)
    if (auto part = library_part(network)) network.models.push_back(std::move(*part));
  for (const auto op : {CollectiveOp::all_reduce, CollectiveOp::all_gather, CollectiveOp::reduce_scatter,
                        CollectiveOp::all_to_all, CollectiveOp::broadcast, CollectiveOp::send}) {
    if (library_model(op, network) != nullptr) continue;
    for (const CollectiveOp relative : relatives_of(op)) {
      const CollectiveModel* model = library_model(relative, network);
      if (model == nullptr) continue;
      CollectiveModel copy = stand_in(*model, op);
      network.models.push_back(std::move(copy));
      break;
    }
  }
}

}  // namespace tpsim
