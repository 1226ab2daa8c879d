#include <array>

#include "sim/network/collective_model.h"
#include "sim/network/json_members.h"

namespace tpsim {
namespace {

constexpr std::array kStacks = {CollectiveStack::nccl, CollectiveStack::vllm, CollectiveStack::sglang,
                                CollectiveStack::trtllm};
constexpr std::array kAlgorithms = {Algorithm::ring,     Algorithm::nvls,     Algorithm::direct,
                                    Algorithm::one_shot, Algorithm::two_shot, Algorithm::multimem};
constexpr std::array kProtocols = {Protocol::none, Protocol::ll, Protocol::ll128, Protocol::simple};
constexpr std::array kSources = {NumberSource::measured, NumberSource::calibrated, NumberSource::transferred,
                                 NumberSource::spec};
constexpr double kBytesPerUs = 1e3;  // of GB/s
constexpr int kMostRanks = 1 << 14;

Value branch_value(const CollectiveBranch& b) {
  ValueObject o{{"algorithm", text(to_string(b.algorithm))}};
  if (b.protocol != Protocol::none) o.emplace_back("protocol", text(to_string(b.protocol)));
  add(o, "base_us", b.base);
  add(o, "hop_us", b.hop);
  add(o, "wire_gb_per_s", b.wire / kBytesPerUs);
  add(o, "local_gb_per_s", b.local / kBytesPerUs);
  add(o, "ramp", b.ramp);
  add(o, "sharing", b.sharing);
  add_count(o, "least_ranks", b.least_ranks, 2);
  add_count(o, "most_ranks", b.most_ranks, 1 << 20);
  return Value{std::move(o)};
}

Value model_value(const CollectiveModel& m) {
  ValueObject o{{"op", text(to_string(m.op))}, {"stack", text(to_string(m.stack))}};
  if (m.eager) o.emplace_back("eager", Value{true});
  if (m.integer) o.emplace_back("integer", Value{true});
  add_count(o, "nodes", m.nodes, 1);
  ValueList branches, ranks;
  for (const auto& b : m.branches) branches.push_back(branch_value(b));
  for (const int n : m.ranks) ranks.push_back(Value{std::int64_t{n}});
  o.emplace_back("branches", Value{std::move(branches)});
  add(o, "floor_us", m.floor);
  add(o, "copy_gb_per_s", m.copy / kBytesPerUs);
  if (!m.residual.empty()) o.emplace_back("residual", to_value(m.residual));
  o.emplace_back("ranks", Value{std::move(ranks)});
  if (!m.band.knots.empty()) o.emplace_back("band", to_value(m.band));
  o.emplace_back("far_band", rounded(m.far_band));
  o.emplace_back("source", text(to_string(m.source)));
  add_count(o, "rows", m.rows, 0);
  o.emplace_back("origin", text(m.origin));
  return Value{std::move(o)};
}

Value link_value(const NodeLink& link) {
  ValueObject o;
  add(o, "base_us", link.base);
  add(o, "hop_us", link.hop);
  add(o, "wire_gb_per_s", link.wire / kBytesPerUs);
  add(o, "ramp", link.ramp);
  add(o, "sharing", link.sharing);
  o.emplace_back("band", rounded(link.band));
  o.emplace_back("source", text(to_string(link.source)));
  o.emplace_back("origin", text(link.origin));
  return Value{std::move(o)};
}

bool is_stand_in(const CollectiveModel& m) { return m.origin.starts_with("as "); }

Value network_value(const CollectiveNetwork& network) {
  ValueList models;
  for (const auto& m : network.models)
    if (!is_stand_in(m)) models.push_back(model_value(m));
  ValueObject o{{"topo", text(network.topo)}, {"domain", Value{std::int64_t{network.domain}}}};
  if (network.spans_hosts) o.emplace_back("spans_hosts", Value{true});
  o.emplace_back("models", Value{std::move(models)});
  if (network.between.wire > 0) o.emplace_back("between", link_value(network.between));
  return Value{std::move(o)};
}

constexpr double kMostUs = 1e7, kMostRate = 1e7;

std::optional<Error> read_branch(const Value& value, CollectiveBranch& b) {
  JsonMembers m(value, "a branch of a collective");
  m.one_of("algorithm", b.algorithm, kAlgorithms);
  m.one_of("protocol", b.protocol, kProtocols);
  m.number("base_us", b.base, 0, kMostUs);
  m.number("hop_us", b.hop, 0, kMostUs);
  m.number("wire_gb_per_s", b.wire, 0, kMostRate, kBytesPerUs);
  m.number("local_gb_per_s", b.local, 0, kMostRate, kBytesPerUs);
  m.number("ramp", b.ramp, 0, 1e6);
  m.number("sharing", b.sharing, -4, 6);
  m.count("least_ranks", b.least_ranks, 2, 1 << 20);
  m.count("most_ranks", b.most_ranks, 2, 1 << 20);
  return m.error();
}

bool serves_all_ranks(const CollectiveModel& m) {
  for (const auto& b : m.branches)
    if (b.least_ranks <= 2 && b.most_ranks == 1 << 20) return true;
  return false;
}

std::optional<Error> read_model(const Value& value, CollectiveModel& model) {
  JsonMembers m(value, "a collective");
  std::string op;
  m.string("op", op);
  const auto parsed = parse_collective(op);
  if (!m.error() && !parsed) m.take(input_error("a collective: unknown \"op\" \"" + op + "\""));
  model.op = parsed.value_or(model.op);
  m.one_of("stack", model.stack, kStacks);
  m.flag("eager", model.eager);
  m.flag("integer", model.integer);
  m.count("nodes", model.nodes, 1, kMostRanks);
  m.list("branches", [&](const Value& entry) { m.take(read_branch(entry, model.branches.emplace_back())); });
  if (!m.error() && !serves_all_ranks(model))
    m.take(input_error("a collective (" + op + "): no branch serves all rank counts"));
  m.number("floor_us", model.floor, 0, kMostUs);
  m.number("copy_gb_per_s", model.copy, 0, kMostRate, kBytesPerUs);
  if (const Value* residual = m.get("residual")) {
    auto grid = read_residual_grid(*residual);
    if (!grid)
      m.take(grid.error());
    else if (grid->axes().size() != 2)
      m.take(input_error("a collective's residual has 2 axes"));
    else
      model.residual = std::move(*grid);
  }
  if (m.get("ranks") != nullptr)
    m.list("ranks", [&](const Value& entry) {
      const auto* n = std::get_if<std::int64_t>(&entry.data);
      if (n != nullptr && *n >= 2 && *n <= kMostRanks)
        model.ranks.push_back(static_cast<int>(*n));
      else
        m.take(input_error("a collective: \"ranks\" holds " + to_json(entry) + ", expected whole numbers from 2"));
    });
  if (const Value* band = m.get("band")) {
    auto curve = read_band(*band);
    if (!curve)
      m.take(curve.error());
    else
      model.band = std::move(*curve);
  }
  m.number("far_band", model.far_band, 0, 5);
  m.one_of("source", model.source, kSources);
  m.count("rows", model.rows, 0, 1 << 30);
  m.string("origin", model.origin);
  return m.error();
}

std::optional<Error> read_link(const Value& value, NodeLink& link) {
  JsonMembers m(value, "the link between hosts");
  m.number("base_us", link.base, 0, kMostUs);
  m.number("hop_us", link.hop, 0, kMostUs);
  m.number("wire_gb_per_s", link.wire, 1e-6, kMostRate, kBytesPerUs);
  m.number("ramp", link.ramp, 0, 1e6);
  m.number("sharing", link.sharing, 0, 2);
  m.number("band", link.band, 0, 5);
  m.one_of("source", link.source, kSources);
  m.string("origin", link.origin);
  return m.error();
}

std::optional<Error> read_network(const Value& value, CollectiveNetwork& network) {
  JsonMembers m(value, "a network");
  m.string("topo", network.topo);
  m.count("domain", network.domain, 1, 1024);
  m.flag("spans_hosts", network.spans_hosts);
  m.list("models", [&](const Value& entry) { m.take(read_model(entry, network.models.emplace_back())); });
  if (const Value* between = m.get("between")) m.take(read_link(*between, network.between));
  if (!m.error() && network.models.empty()) m.take(input_error("a network (\"" + network.topo + "\") has no models"));
  return m.error();
}

}  // namespace

Value to_value(const CollectiveCalibration& calibration) {
  ValueList networks;
  for (const auto& network : calibration.networks) networks.push_back(network_value(network));
  ValueObject o{{"networks", Value{std::move(networks)}}};
  if (!calibration.exchange.models.empty()) o.emplace_back("expert_exchange", to_value(calibration.exchange));
  return Value{std::move(o)};
}

Result<CollectiveCalibration> read_collective_calibration(const Value& value) {
  CollectiveCalibration calibration;
  JsonMembers m(value, "\"collectives\"");
  m.list("networks", [&](const Value& entry) { m.take(read_network(entry, calibration.networks.emplace_back())); });
  if (const Value* exchange = m.get("expert_exchange")) {
    auto read = read_exchange_calibration(*exchange);
    if (!read)
      m.take(read.error());
    else
      calibration.exchange = std::move(*read);
  }
  if (m.error()) return *m.error();
  for (CollectiveNetwork& network : calibration.networks) complete(network);
  return calibration;
}

}  // namespace tpsim
