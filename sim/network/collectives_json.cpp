#include <array>
#include <cmath>

#include "sim/network/collective_model.h"

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

Value number(double x) {
  const double scale = x == 0 ? 1 : std::pow(10, 3 - std::floor(std::log10(std::abs(x))));
  return Value{std::round(x * scale) / scale};
}
Value text(std::string_view s) { return Value{std::string(s)}; }
void add(ValueObject& object, const char* key, double x, double absent = 0) {
  if (x != absent) object.emplace_back(key, number(x));
}
void add_count(ValueObject& object, const char* key, int x, int absent) {
  if (x != absent) object.emplace_back(key, Value{std::int64_t{x}});
}

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
  o.emplace_back("band", number(m.band));
  o.emplace_back("far_band", number(m.far_band));
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
  o.emplace_back("band", number(link.band));
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

// Reads the members of one object; the first problem is kept.
class Members {
public:
  Members(const Value& value, std::string what) : what_(std::move(what)) {
    object_ = std::get_if<ValueObject>(&value.data);
    if (object_ == nullptr) fail("", "an object", value);
  }

  const Value* get(const char* key) const { return object_ == nullptr ? nullptr : tpsim::find(*object_, key); }

  void number(const char* key, double& x, double least, double most, double factor = 1) {
    const Value* v = get(key);
    if (v == nullptr) return;
    const auto* d = std::get_if<double>(&v->data);
    const auto* i = std::get_if<std::int64_t>(&v->data);
    const double read = d != nullptr ? *d : i != nullptr ? static_cast<double>(*i) : NAN;
    if (!(read >= least && read <= most)) return fail(key, "a number from " + shortest(least) + " to " + shortest(most), *v);
    x = read * factor;
  }
  void count(const char* key, int& x, int least, int most) {
    const Value* v = get(key);
    if (v == nullptr) return;
    const auto* i = std::get_if<std::int64_t>(&v->data);
    if (i == nullptr || *i < least || *i > most)
      return fail(key, "a whole number from " + std::to_string(least) + " to " + std::to_string(most), *v);
    x = static_cast<int>(*i);
  }
  void flag(const char* key, bool& x) {
    if (const Value* v = get(key)) {
      if (const auto* b = std::get_if<bool>(&v->data)) x = *b;
      else fail(key, "true or false", *v);
    }
  }
  void string(const char* key, std::string& x) {
    if (const Value* v = get(key)) {
      if (const auto* s = std::get_if<std::string>(&v->data)) x = *s;
      else fail(key, "text", *v);
    }
  }
  template <class T, std::size_t n>
  void one_of(const char* key, T& x, const std::array<T, n>& all) {
    std::string name;
    string(key, name);
    if (get(key) == nullptr || error_) return;
    std::string names;
    for (const T& each : all) {
      if (name == to_string(each)) return void(x = each);
      names += std::string(names.empty() ? "" : ", ") + "\"" + to_string(each) + "\"";
    }
    error_ = input_error(what_ + ": \"" + key + "\" is \"" + name + "\", not one of " + names);
  }
  // Calls `each` with every entry of a list that must be there.
  template <class F>
  void list(const char* key, F each) {
    const Value* v = get(key);
    const auto* entries = v == nullptr ? nullptr : std::get_if<ValueList>(&v->data);
    if (entries == nullptr) return fail(key, "a list", v == nullptr ? Value{} : *v);
    for (const Value& entry : *entries)
      if (!error_) each(entry);
  }
  void take(std::optional<Error> error) {
    if (!error_) error_ = std::move(error);
  }
  const std::optional<Error>& error() const { return error_; }

private:
  static std::string shortest(double x) { return to_json(Value{x}); }
  void fail(const std::string& key, const std::string& expected, const Value& found) {
    if (error_) return;
    error_ = input_error(what_ + (key.empty() ? "" : ": \"" + key + "\"") + ": expected " + expected + ", found " +
                         (found.is_null() ? "nothing" : to_json(found)));
  }

  std::string what_;
  const ValueObject* object_ = nullptr;
  std::optional<Error> error_;
};

constexpr double kMostUs = 1e7, kMostRate = 1e7;

std::optional<Error> read_branch(const Value& value, CollectiveBranch& b) {
  Members m(value, "a branch of a collective");
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
  Members m(value, "a collective");
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
    if (!grid) m.take(grid.error());
    else if (grid->axes().size() != 2) m.take(input_error("a collective's residual has 2 axes"));
    else model.residual = std::move(*grid);
  }
  if (m.get("ranks") != nullptr)
    m.list("ranks", [&](const Value& entry) {
      const auto* n = std::get_if<std::int64_t>(&entry.data);
      if (n != nullptr && *n >= 2 && *n <= kMostRanks) model.ranks.push_back(static_cast<int>(*n));
      else m.take(input_error("a collective: \"ranks\" holds " + to_json(entry) + ", expected whole numbers from 2"));
    });
  m.number("band", model.band, 0, 5);
  m.number("far_band", model.far_band, 0, 5);
  m.one_of("source", model.source, kSources);
  m.count("rows", model.rows, 0, 1 << 30);
  m.string("origin", model.origin);
  return m.error();
}

std::optional<Error> read_link(const Value& value, NodeLink& link) {
  Members m(value, "the link between hosts");
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
  Members m(value, "a network");
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
  return Value{ValueObject{{"networks", Value{std::move(networks)}}}};
}

Result<CollectiveCalibration> read_collective_calibration(const Value& value) {
  CollectiveCalibration calibration;
  Members m(value, "\"collectives\"");
  m.list("networks", [&](const Value& entry) { m.take(read_network(entry, calibration.networks.emplace_back())); });
  if (m.error()) return *m.error();
  for (CollectiveNetwork& network : calibration.networks) complete(network);
  return calibration;
}

}  // namespace tpsim
