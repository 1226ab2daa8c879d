#include <array>

#include "sim/network/collective_model.h"
#include "sim/network/json_parts.h"

namespace tpsim {
namespace {

constexpr std::array kStacks = {CollectiveStack::nccl, CollectiveStack::vllm, CollectiveStack::sglang,
                                CollectiveStack::trtllm};
constexpr std::array kAlgorithms = {Algorithm::ring,     Algorithm::nvls,     Algorithm::direct,
                                    Algorithm::one_shot, Algorithm::two_shot, Algorithm::multimem};
constexpr std::array kProtocols = {Protocol::none, Protocol::ll, Protocol::ll128, Protocol::simple};
constexpr double kBytesPerUs = 1e3;  // of GB/s
constexpr double kMostUs = 1e7, kMostRate = 1e7, kMostBand = 5;
constexpr int kAnyRanks = 1 << 20, kMostNodes = 1 << 14;

Value branch_value(const CollectiveBranch& b) {
  return Value{ValueObject{{"algorithm", text_value(to_string(b.algorithm))},
                           {"protocol", text_value(to_string(b.protocol))},
                           {"base_us", shortened(b.base)},
                           {"hop_us", shortened(b.hop)},
                           {"wire_gb_per_s", shortened(b.wire / kBytesPerUs)},
                           {"local_gb_per_s", shortened(b.local / kBytesPerUs)},
                           {"ramp", shortened(b.ramp)},
                           {"sharing", shortened(b.sharing)},
                           {"least_ranks", count_value(b.least_ranks)},
                           {"most_ranks", count_value(b.most_ranks)}}};
}

Value model_value(const CollectiveModel& m) {
  ValueList branches, ranks;
  for (const auto& b : m.branches) branches.push_back(branch_value(b));
  for (const int n : m.ranks) ranks.push_back(count_value(n));
  return Value{ValueObject{{"op", text_value(to_string(m.op))},
                           {"stack", text_value(to_string(m.stack))},
                           {"eager", Value{m.eager}},
                           {"integer", Value{m.integer}},
                           {"nodes", count_value(m.nodes)},
                           {"origin", text_value(m.origin)},
                           {"source", text_value(to_string(m.source))},
                           {"rows", count_value(m.rows)},
                           {"ranks", Value{std::move(ranks)}},
                           {"branches", Value{std::move(branches)}},
                           {"floor_us", shortened(m.floor)},
                           {"copy_gb_per_s", shortened(m.copy / kBytesPerUs)},
                           {"far_band", shortened(m.far_band)},
                           {"band", to_value(m.band)},
                           {"residual", to_value(m.residual)}}};
}

Value link_value(const NodeLink& link) {
  if (link.wire <= 0) return Value{};
  return Value{ValueObject{{"origin", text_value(link.origin)},
                           {"source", text_value(to_string(link.source))},
                           {"base_us", shortened(link.base)},
                           {"hop_us", shortened(link.hop)},
                           {"wire_gb_per_s", shortened(link.wire / kBytesPerUs)},
                           {"ramp", shortened(link.ramp)},
                           {"sharing", shortened(link.sharing)},
                           {"flagged_share", shortened(link.flagged_share)},
                           {"band", shortened(link.band)}}};
}

Value network_value(const CollectiveNetwork& network) {
  ValueList models;
  for (const auto& m : network.models)
    if (!m.stand_in) models.push_back(model_value(m));
  return Value{ValueObject{{"topo", text_value(network.topo)},
                           {"domain", count_value(network.domain)},
                           {"spans_hosts", Value{network.spans_hosts}},
                           {"between", link_value(network.between)},
                           {"models", Value{std::move(models)}}}};
}

std::optional<Error> read_branch(const Value& value, CollectiveBranch& b) {
  ObjectReader r(value, "a branch of a collective");
  b.algorithm = named(r, "algorithm", kAlgorithms);
  b.protocol = named(r, "protocol", kProtocols);
  b.base = r.number("base_us", 0, kMostUs);
  b.hop = r.number("hop_us", 0, kMostUs);
  b.wire = r.number("wire_gb_per_s", 0, kMostRate) * kBytesPerUs;
  b.local = r.number("local_gb_per_s", 0, kMostRate) * kBytesPerUs;
  b.ramp = r.number("ramp", 0, 1e6);
  b.sharing = r.number("sharing", -4, 6);
  b.least_ranks = whole(r, "least_ranks", 2, kAnyRanks);
  b.most_ranks = whole(r, "most_ranks", 2, kAnyRanks);
  return r.error();
}

bool serves_all_ranks(const CollectiveModel& m) {
  for (const auto& b : m.branches)
    if (b.least_ranks <= 2 && b.most_ranks == kAnyRanks) return true;
  return false;
}

std::optional<Error> read_model(const Value& value, CollectiveModel& m) {
  ObjectReader r(value, "a collective");
  const std::string op = r.text("op");
  const auto parsed = parse_collective(op);
  if (!parsed) r.fail("unknown \"op\": \"" + op + "\"");
  m.op = parsed.value_or(m.op);
  m.stack = named(r, "stack", kStacks);
  m.eager = r.flag("eager");
  m.integer = r.flag("integer");
  m.nodes = whole(r, "nodes", 1, kMostNodes);
  m.origin = r.text("origin");
  m.source = r.source("source");
  m.rows = whole(r, "rows", 0, 1 << 30);
  for_each_entry(r, "ranks", [&](const Value& entry) {
    const auto* n = std::get_if<std::int64_t>(&entry.data);
    if (n != nullptr && *n >= 2 && *n < kAnyRanks)
      m.ranks.push_back(static_cast<int>(*n));
    else
      r.fail("\"ranks\" holds " + to_json(entry).substr(0, 40) + ", expected whole numbers from 2");
  });
  for_each_entry(r, "branches", [&](const Value& entry) { take(r, read_branch(entry, m.branches.emplace_back())); });
  if (!serves_all_ranks(m)) r.fail("\"branches\": none serves all rank counts");
  m.floor = r.number("floor_us", 0, kMostUs);
  m.copy = r.number("copy_gb_per_s", 0, kMostRate) * kBytesPerUs;
  m.far_band = r.number("far_band", 0, kMostBand);
  if (const Value* band = r.member("band")) take(r, read_band(*band), m.band);
  m.residual = residual_in(r);
  return r.error();
}

std::optional<Error> read_link(const Value& value, NodeLink& link) {
  ObjectReader r(value, "the link between hosts");
  link.origin = r.text("origin");
  link.source = r.source("source");
  link.base = r.number("base_us", 0, kMostUs);
  link.hop = r.number("hop_us", 0, kMostUs);
  link.wire = r.number("wire_gb_per_s", 1e-6, kMostRate) * kBytesPerUs;
  link.ramp = r.number("ramp", 0, 1e6);
  link.sharing = r.number("sharing", 0, 2);
  link.flagged_share = r.number("flagged_share", 1e-4, 1);
  link.band = r.number("band", 0, kMostBand);
  return r.error();
}

std::optional<Error> read_network(const Value& value, CollectiveNetwork& network) {
  ObjectReader r(value, "a network");
  network.topo = r.text("topo");
  network.domain = whole(r, "domain", 1, 1024);
  network.spans_hosts = r.flag("spans_hosts");
  if (const Value* between = r.member("between"); between != nullptr && !between->is_null())
    take(r, read_link(*between, network.between));
  for_each_entry(r, "models", [&](const Value& entry) { take(r, read_model(entry, network.models.emplace_back())); });
  if (network.models.empty()) r.fail("\"models\" is empty");
  return r.error();
}

}  // namespace

Value to_value(const CollectiveCalibration& calibration) {
  ValueList networks;
  for (const auto& network : calibration.networks) networks.push_back(network_value(network));
  return Value{ValueObject{{"networks", Value{std::move(networks)}}, {"exchange", to_value(calibration.exchange)}}};
}

Result<CollectiveCalibration> read_collective_calibration(const Value& value) {
  CollectiveCalibration calibration;
  ObjectReader r(value, "\"collectives\"");
  for_each_entry(r, "networks",
                 [&](const Value& entry) { take(r, read_network(entry, calibration.networks.emplace_back())); });
  if (const Value* exchange = r.member("exchange")) take(r, read_exchange_calibration(*exchange), calibration.exchange);
  if (r.error()) return *r.error();
  for (CollectiveNetwork& network : calibration.networks) complete(network);
  return calibration;
}

}  // namespace tpsim
