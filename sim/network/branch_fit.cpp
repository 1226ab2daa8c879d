#include "sim/network/branch_fit.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <limits>

#include "sim/fit/least_squares.h"
#include "sim/network/collective_model.h"

namespace tpsim {
namespace {

// Deviation of ln(measured) around a good model: what turns "a factor of e" of a prior into the fit's units.
constexpr double kNoise = 0.03;

constexpr int kLeastAdding = 4;      // ranks of NVLS
constexpr double kRingGain = 1.2;    // of the bus rate of many ranks over that of two, which copy more
constexpr double kRingShare = 0.85;  // of NVLS's bus rate
constexpr double kHinted = 0.1;      // freedom of a rate that is known from elsewhere

// Which numbers of a branch are fitted.
struct Slot {
  std::size_t branch;
  double CollectiveBranch::*member;
};

void add_slot(std::vector<Slot>& slots, std::vector<FitParameter>& parameters, std::size_t i, const FreeBranch& free,
              double CollectiveBranch::*member, double freedom, double low, double high) {
  if (freedom <= 0) return;
  const double start = free.start.*member;
  slots.push_back({i, member});
  parameters.push_back({std::clamp(start, low, high), low, high, freedom / kNoise});
}

// What the smallest and largest messages say about a series of rows.
struct Extent {
  double small_us = 0, hop_us = 0;  // time of the smallest message at the fewest ranks; more of it per step
  double largest_start_us = 0;      // of the smallest message at the most ranks
  double busbw = 0;                 // bytes per us, the best of all rows
  double ring_busbw = 0;            // without NVLS, which serves 4 and more ranks
};

double smallest_us(std::span<const MeasuredCollective> rows, int ranks) {
  double least = std::numeric_limits<double>::infinity();
  for (const MeasuredCollective& r : rows)
    if (r.shape.ranks == ranks) least = std::min(least, r.us);
  return least;
}

Extent extent_of(CollectiveOp op, std::span<const MeasuredCollective> rows) {
  Extent e;
  int fewest = 1 << 20, most = 0;
  for (const MeasuredCollective& r : rows) {
    fewest = std::min(fewest, r.shape.ranks);
    most = std::max(most, r.shape.ranks);
    const double busbw = r.shape.bytes * bus_factor(op, r.shape.ranks) / r.us;
    e.busbw = std::max(e.busbw, busbw);
    if (r.shape.ranks < kLeastAdding) e.ring_busbw = std::max(e.ring_busbw, kRingGain * busbw);
  }
  if (e.ring_busbw == 0) e.ring_busbw = kRingShare * e.busbw;
  e.small_us = smallest_us(rows, fewest);
  const double steps = op == CollectiveOp::all_reduce ? 2.0 * (most - fewest) : most - fewest;
  e.largest_start_us = smallest_us(rows, most);
  e.hop_us = steps > 0 ? (e.largest_start_us - e.small_us) / steps : 0.1 * e.small_us;
  e.hop_us = std::clamp(e.hop_us, 0.05, 0.5 * e.small_us);
  return e;
}

CollectiveBranch branch(Algorithm algorithm, Protocol protocol, double base, double hop, double wire, double local,
                        double ramp) {
  CollectiveBranch b;
  b.algorithm = algorithm;
  b.protocol = protocol;
  b.base = base;
  b.hop = hop;
  b.wire = wire;
  b.local = local;
  b.ramp = ramp;
  return b;
}

void share(std::vector<FreeBranch>& branches) {
  for (FreeBranch& b : branches) {
    b.start.sharing = 0.5;
    b.freedom.sharing = 1;
  }
}

// LL: flags travel with the data, so a rank's own part counts, too. Simple: large chunks, a pipeline that fills.
std::vector<FreeBranch> ring_branches(const Extent& e, const LinkKind& link) {
  std::vector<FreeBranch> all{
      {branch(Algorithm::ring, Protocol::ll, 0.85 * e.small_us, e.hop_us, e.busbw / 2, e.busbw / 2, 0),
       {1, 1, 1, 1, 0, 0}},
      {branch(Algorithm::ring, Protocol::simple, 2.2 * e.small_us, 2 * e.hop_us, 1.05 * e.busbw, 2 * e.busbw, 0.05),
       {1, 1, 1, 1, 1, 0}}};
  if (link.shared)
    share(all);
  else
    all.push_back({branch(Algorithm::ring, Protocol::ll128, 3 * e.small_us, e.hop_us, 0.9 * e.busbw, e.busbw, 0),
                   {1, 1, 0.1, 1, 0, 0}});
  return all;
}

// To all peers at once: with LL the time is that of one peer's part, whatever their number.
std::vector<FreeBranch> direct_branches(const Extent& e, const LinkKind& link) {
  std::vector<FreeBranch> all{
      {branch(Algorithm::direct, Protocol::ll, e.small_us, 0.1, 0, 6000, 0), {1, 1, 0, 1, 0, 0}},
      {branch(Algorithm::direct, Protocol::simple, 2 * e.small_us, 0.1, 1.05 * e.busbw, 2 * e.busbw, 0.1),
       {0.5, 1, 1, 1, 1, 0}}};
  if (link.shared) {
    all.front().start.wire = e.busbw;
    all.front().freedom.wire = 1;
    share(all);
  }
  return all;
}

std::vector<FreeBranch> library_branches(const RowsOfModel& rows, const LinkKind& link) {
  const CollectiveOp op = rows.key.op;
  Extent e = extent_of(op, rows.rows);
  const bool hinted = rows.wire_hint > e.busbw;
  if (hinted) e.busbw = rows.wire_hint;
  if (op == CollectiveOp::all_to_all || op == CollectiveOp::send) return direct_branches(e, link);
  const bool adds = op == CollectiveOp::all_reduce && link.adds && !rows.key.integer && rows.key.nodes == 1;
  const double nvls_rate = e.busbw;
  if (adds) e.busbw = e.ring_busbw;
  std::vector<FreeBranch> all = ring_branches(e, link);
  if (hinted)
    for (FreeBranch& b : all) b.freedom.wire = b.freedom.local = b.freedom.ramp = kHinted;
  if (!adds) return all;
  // It starts later than the ring with LL (25 us in NCCL's tuning), or it would be taken for small messages.
  FreeBranch nvls{branch(Algorithm::nvls, Protocol::simple, e.largest_start_us, 0.3,
                         nvls_rate * std::pow(4, link.adding_share), 0, 0.15),
                  {0.1, 0.1, 1, 0, 1, 0}};
  nvls.start.sharing = link.adding_share;
  nvls.start.least_ranks = 4;
  all.push_back(nvls);
  return all;
}

// The kernels of serving stacks: loads from the peers while messages are small.
std::vector<FreeBranch> stack_branches(const RowsOfModel& rows, const LinkKind& link, double wire) {
  const double start = extent_of(CollectiveOp::all_reduce, rows.rows).small_us;
  std::vector<FreeBranch> all{{branch(Algorithm::one_shot, Protocol::none, start, 0.08, 0.7 * wire, 0, 0),
                               {1, 1, link.shared ? 1 : 0.3, 0, 0, 0}}};
  if (link.shared) {
    all.front().start.most_ranks = 2;
    return all;
  }
  all.push_back(
      {branch(Algorithm::two_shot, Protocol::none, 2 * start, 0.2, 0.8 * wire, 0, 0), {0.5, 0.5, 0.3, 0, 0, 0}});
  if (rows.key.stack != CollectiveStack::vllm || !link.adds) return all;
  all.push_back(
      {branch(Algorithm::multimem, Protocol::none, 2.2 * start, 0.2, 0.8 * wire, 0, 0), {0.5, 0.5, 0.3, 0, 0, 0}});
  all.back().start.least_ranks = 4;
  return all;
}

// An eager call takes the host's time or the kernel's with the copy before it, whichever is longer.
void fit_eager(CollectiveModel& model, std::span<const MeasuredCollective> rows) {
  const double floor = extent_of(CollectiveOp::all_reduce, rows).small_us;
  const std::array<FitParameter, 2> parameters{FitParameter{floor, 0.1, 1e5, 0}, FitParameter{1e6, 1e3, 1e8, 0}};
  const auto fit = least_squares(parameters, rows.size(), [&](auto values, auto residuals) {
    CollectiveModel trial = model;
    trial.floor = values[0];
    trial.copy = values[1];
    for (std::size_t i = 0; i < rows.size(); ++i)
      residuals[i] = std::log(physics_time(trial, rows[i].shape.bytes, rows[i].shape.ranks).us / rows[i].us);
  });
  model.floor = fit.values[0];
  model.copy = fit.values[1];
}

}  // namespace

LinkKind link_kind(std::string_view gpu, std::string_view topo) {
  LinkKind link;
  link.shared = topo.starts_with("pcie");
  if (link.shared) return link;
  std::string name(gpu);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  // Rates of NVLS over 4 and 8 ranks as NCCL's tuning tables have them: 306 and 476 GB/s on Hopper, 270 and 560 on
  // Blackwell.
  const bool hopper = name.starts_with("h100") || name.starts_with("h200") || name.starts_with("gh200");
  const bool blackwell = name.starts_with("b200") || name.starts_with("b300") || name.starts_with("gb");
  link.adds = hopper || blackwell;
  link.adding_share = hopper ? -0.64 : blackwell ? -1.05 : 0;
  return link;
}

std::vector<CollectiveBranch> fit_free_branches(CollectiveOp op, std::span<const FreeBranch> free,
                                                std::span<const CollectiveBranch> fixed,
                                                std::span<const MeasuredCollective> rows) {
  std::vector<Slot> slots;
  std::vector<FitParameter> parameters;
  for (std::size_t i = 0; i < free.size(); ++i) {
    const BranchFreedom& f = free[i].freedom;
    using B = CollectiveBranch;
    add_slot(slots, parameters, i, free[i], &B::base, f.base, 0.01, 1e6);
    add_slot(slots, parameters, i, free[i], &B::hop, f.hop, 1e-3, 1e5);
    add_slot(slots, parameters, i, free[i], &B::wire, f.wire, 1, 1e8);
    add_slot(slots, parameters, i, free[i], &B::local, f.local, 1, 1e8);
    add_slot(slots, parameters, i, free[i], &B::ramp, f.ramp, 1e-4, 1e3);
    add_slot(slots, parameters, i, free[i], &B::sharing, f.sharing, 1e-3, 4);
  }
  CollectiveModel trial;
  trial.op = op;
  for (const FreeBranch& b : free) trial.branches.push_back(b.start);
  trial.branches.insert(trial.branches.end(), fixed.begin(), fixed.end());
  const auto put = [&](std::span<const double> values) {
    for (std::size_t i = 0; i < slots.size(); ++i) trial.branches[slots[i].branch].*slots[i].member = values[i];
  };
  const auto fit = least_squares(parameters, rows.size(), [&](auto values, auto residuals) {
    put(values);
    for (std::size_t i = 0; i < rows.size(); ++i)
      residuals[i] = std::log(physics_time(trial, rows[i].shape.bytes, rows[i].shape.ranks).us / rows[i].us);
  });
  put(fit.values);
  return trial.branches;
}

CollectiveModel fit_branches(const RowsOfModel& rows, const LinkKind& link, const CollectiveModel* library,
                             const CollectiveModel* graph) {
  CollectiveModel model = rows.key;
  model.source = NumberSource::calibrated;
  model.rows = static_cast<int>(rows.rows.size());
  if (rows.key.eager && graph != nullptr) {
    model.branches = graph->branches;
    fit_eager(model, rows.rows);
    return model;
  }
  if (rows.key.stack == CollectiveStack::nccl) {
    model.branches = fit_free_branches(model.op, library_branches(rows, link), {}, rows.rows);
    return model;
  }
  const double wire = extent_of(model.op, rows.rows).busbw;
  std::vector<FreeBranch> free = stack_branches(rows, link, wire);
  std::vector<CollectiveBranch> fixed;
  if (library != nullptr && !link.shared) {
    fixed = library->branches;
  } else {
    const auto own = ring_branches(extent_of(model.op, rows.rows), link);
    free.insert(free.end(), own.begin(), own.end());
  }
  model.branches = fit_free_branches(model.op, free, fixed, rows.rows);
  return model;
}

}  // namespace tpsim
