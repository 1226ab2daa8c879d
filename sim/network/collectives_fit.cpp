#include "sim/network/collectives_fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <tuple>

#include "sim/fit/least_squares.h"
#include "sim/kernels/published.h"
#include "sim/network/branch_fit.h"
#include "sim/network/collective_holdout.h"
#include "sim/network/collective_model.h"
#include "sim/network/collective_series.h"

namespace tpsim {
namespace {

// Kernel times of a profiler include the wait for the slowest rank, which hides what small messages take.
constexpr double kLeastProfiledBytes = 1 << 20;
constexpr std::string_view kProfiled = "vidur";
constexpr double kNetworkHop = 14;  // us, NVIDIA/nccl src/graph/tuning.cc: Simple protocol between hosts

bool is_usable(const MeasuredCollective& r) {
  if (!(r.us > 0) || r.shape.ranks < 2 || r.shape.bytes <= 0) return false;
  const bool waits = r.source == kProfiled && r.shape.op != CollectiveOp::send && r.shape.nodes == 1;
  return !waits || r.shape.bytes >= kLeastProfiledBytes;
}

using Key = std::tuple<CollectiveStack, CollectiveOp, bool, bool, int>;  // stack, op, eager, integer, nodes

Key key_of(const MeasuredCollective& r) {
  const bool integer = r.shape.dtype == DType::int8 && r.shape.op == CollectiveOp::all_reduce;
  return {r.shape.stack, r.shape.op, r.shape.eager, integer, r.shape.nodes};
}

CollectiveModel model_with(const Key& key) {
  CollectiveModel m;
  std::tie(m.stack, m.op, m.eager, m.integer, m.nodes) = key;
  return m;
}

// NCCL first, graphs before eager: what others build on.
using Groups = std::map<Key, std::vector<MeasuredCollective>>;

Groups groups_of(std::span<const MeasuredCollective> rows) {
  Groups groups;
  for (const MeasuredCollective& r : rows)
    if (is_usable(r)) groups[key_of(r)].push_back(r);
  return groups;
}

std::string origin_of(std::span<const MeasuredCollective> rows) {
  std::set<std::string> names;
  for (const MeasuredCollective& r : rows) names.insert(published_origin(r.source) + " on " + r.gpu);
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

const CollectiveModel* find_model(const CollectiveNetwork& network, const Key& key) {
  for (const CollectiveModel& m : network.models)
    if (Key{m.stack, m.op, m.eager, m.integer, m.nodes} == key) return &m;
  return nullptr;
}

// Series of the same operation on each sister. What a stack's kernels can use depends on the host.
std::vector<SisterSeries> sister_series(std::span<const MeasuredCollective> rows, std::string_view topo) {
  std::map<std::string, std::vector<MeasuredCollective>> by_gpu;
  for (const MeasuredCollective& r : rows)
    if (r.topo == topo || r.shape.stack == CollectiveStack::nccl) by_gpu[r.gpu + " " + r.topo].push_back(r);
  std::vector<SisterSeries> all;
  for (const auto& [gpu, own] : by_gpu) all.push_back({own.front().topo == topo, series_of(own)});
  return all;
}

CollectiveModel fit_model(const Key& key, const std::vector<MeasuredCollective>& rows,
                          const std::vector<MeasuredCollective>& sisters, const CollectiveNetwork& network) {
  const LinkKind link = link_kind(rows.front().gpu, rows.front().topo);
  const Key library{CollectiveStack::nccl, CollectiveOp::all_reduce, false, std::get<3>(key), std::get<4>(key)};
  Key graph = key;
  std::get<2>(graph) = false;
  CollectiveModel model = fit_branches({model_with(key), rows}, link, find_model(network, library),
                                       std::get<2>(key) ? find_model(network, graph) : nullptr);
  const auto own = series_of(rows);
  model.residual = fit_residual(model, own, sister_series(sisters, rows.front().topo));
  for (const auto& [ranks, series] : own) model.ranks.push_back(ranks);
  model.origin = origin_of(rows);
  return model;
}

// Operations that only sisters have.
void add_sisters_models(const Groups& own, const Groups& sisters, CollectiveNetwork& network) {
  for (const auto& [key, rows] : sisters) {
    if (own.count(key) > 0 || std::get<4>(key) > 1) continue;
    CollectiveModel model = fit_model(key, rows, {}, network);
    model.source = NumberSource::transferred;
    model.ranks.clear();
    network.models.push_back(std::move(model));
  }
}

CollectiveNetwork fit_network(std::span<const MeasuredCollective> rows, std::span<const MeasuredCollective> sisters) {
  CollectiveNetwork network;
  network.topo = rows.front().topo;
  network.spans_hosts = network.topo == "nvl72";
  if (network.spans_hosts) network.domain = 72;
  const Groups own = groups_of(rows), others = groups_of(sisters);
  for (const auto& [key, group] : own) {
    const auto sister = others.find(key);
    network.models.push_back(
        fit_model(key, group, sister == others.end() ? std::vector<MeasuredCollective>{} : sister->second, network));
  }
  if (std::any_of(own.begin(), own.end(), [](const auto& entry) { return std::get<4>(entry.first) == 1; }))
    add_sisters_models(own, others, network);
  return network;
}

// What the rows between hosts say about one rank's adapter, given what happens inside.
void fit_between(std::span<const MeasuredCollective> all, CollectiveNetwork& network) {
  std::vector<MeasuredCollective> rows;
  for (const MeasuredCollective& r : all)
    if (is_usable(r) && r.shape.nodes > 1) rows.push_back(r);
  if (rows.empty() || network.spans_hosts) return;
  CollectiveNetwork trial = network;
  std::erase_if(trial.models, [](const CollectiveModel& m) { return m.nodes > 1; });
  trial.between.hop = kNetworkHop;
  trial.between.source = NumberSource::calibrated;
  const std::array<FitParameter, 5> parameters{FitParameter{20, 0.1, 1e5, 0}, FitParameter{1e4, 10, 1e6, 0},
                                               FitParameter{0.1, 1e-3, 1e3, 30}, FitParameter{0.2, 1e-3, 1, 30},
                                               FitParameter{trial.between.flagged_share, 1e-3, 1, 10}};
  const auto put = [&](std::span<const double> v) {
    trial.between.base = v[0];
    trial.between.wire = v[1];
    trial.between.ramp = v[2];
    trial.between.sharing = v[3];
    trial.between.flagged_share = v[4];
  };
  const auto log_errors = [&](std::span<double> errors) {
    for (std::size_t i = 0; i < rows.size(); ++i)
      errors[i] = std::log(collective_time(rows[i].shape, trial).time.us / rows[i].us);
  };
  const auto fit = least_squares(parameters, rows.size(), [&](auto values, auto residuals) {
    put(values);
    log_errors(residuals);
  });
  put(fit.values);
  std::vector<double> errors(rows.size());
  log_errors(errors);
  for (double& e : errors) e = std::abs(e);
  trial.between.band = quantile(errors, 0.9);
  trial.between.origin = origin_of(rows);
  network.between = trial.between;
}

std::string_view link_of(std::string_view gpu) {
  if (gpu == "H100-SXM" || gpu == "H200-SXM" || gpu == "H100-80GB") return "NVLink 4";
  if (gpu == "B200-SXM" || gpu == "B300-SXM" || gpu == "GB200") return "NVLink 5";
  return gpu;
}

}  // namespace

std::vector<MeasuredCollective> sisters_of(std::span<const MeasuredCollective> rows, std::string_view gpu) {
  std::vector<MeasuredCollective> sisters;
  for (const MeasuredCollective& r : rows)
    if (r.gpu != gpu && link_of(r.gpu) == link_of(gpu) && !r.topo.starts_with("pcie")) sisters.push_back(r);
  return sisters;
}

CollectiveCalibration fit_collectives(std::span<const MeasuredCollective> rows,
                                      std::span<const MeasuredCollective> sisters) {
  std::map<std::string, std::vector<MeasuredCollective>> by_topo;
  for (const MeasuredCollective& r : rows) by_topo[r.topo].push_back(r);
  CollectiveCalibration calibration;
  for (const auto& [topo, group] : by_topo) {
    if (groups_of(group).empty()) continue;
    CollectiveNetwork network = fit_network(group, sisters);
    complete(network);
    fit_between(group, network);
    calibration.networks.push_back(std::move(network));
  }
  std::stable_sort(
      calibration.networks.begin(), calibration.networks.end(),
      [](const CollectiveNetwork& a, const CollectiveNetwork& b) { return a.models.size() > b.models.size(); });
  return calibration;
}

std::map<std::string, CollectiveCalibration> fit_collective_sets(std::span<const MeasuredCollective> rows) {
  std::map<std::string, std::vector<MeasuredCollective>> by_gpu;
  for (const MeasuredCollective& r : rows) by_gpu[r.gpu].push_back(r);
  std::map<std::string, CollectiveCalibration> sets;
  for (const auto& [gpu, own] : by_gpu) {
    const std::vector<MeasuredCollective> sisters = sisters_of(rows, gpu);
    CollectiveCalibration calibration = fit_collectives(own, sisters);
    set_bands(own, sisters, calibration);
    sets.emplace(gpu, std::move(calibration));
  }
  return sets;
}

}  // namespace tpsim
