#include "cli/machine_rows.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <thread>

#include "cli/measurement_output.h"
#include "core/architecture.h"
#include "core/config.h"
#include "core/data.h"
#include "core/json.h"
#include "core/version.h"
#include "exec/run_input.h"
#include "exec/run_plan.h"
#include "exec/thread_ranks.h"
#include "sim/kernels/elementwise.h"

namespace tpsim::cli {
namespace {

constexpr int kWarmup = 1, kIterations = 5;
constexpr std::int64_t kVocabulary = 8192;
constexpr char kName[] = "this-machine", kSource[] = "tpsim";
constexpr double kInCaches = 8e6;  // bytes; larger operands come from memory

struct Decoder {
  std::int64_t hidden, intermediate, heads, kv_heads;
};
constexpr Decoder kDecoders[] = {{256, 704, 4, 2}, {1024, 2816, 16, 4}, {2048, 5632, 32, 8}};
constexpr std::int64_t kPrompts[] = {16, 128, 384};

std::string config_of(const Decoder& d) {
  const auto field = [](const char* name, std::int64_t value) {
    return ",\"" + std::string(name) + "\":" + std::to_string(value);
  };
  return "{\"model_type\":\"llama\"" + field("hidden_size", d.hidden) + field("intermediate_size", d.intermediate) +
         field("num_attention_heads", d.heads) + field("num_key_value_heads", d.kv_heads) +
         field("num_hidden_layers", 2) + field("vocab_size", kVocabulary) + field("max_position_embeddings", 4096) +
         "}";
}

Result<Model> model_of(const Decoder& d) {
  const auto config = read_config(config_of(d), kName);
  if (!config) return config.error();
  const auto architecture = load_architecture("llama", kNewestDialect);
  if (!architecture) return architecture.error();
  return build_model(*architecture, *config);
}

Result<Measurement> run(const Model& model, std::int64_t prompt, int tp, DType dtype) {
  const auto weights = exec::seeded_weights(0);
  const exec::RunInput input = exec::seeded_input(1, prompt, kVocabulary, 0);
  exec::RunRequest request;
  request.model = &model;
  request.analysis.parallelism.tp = tp;
  request.weights = weights.get();
  request.ids_shape = input.ids_shape;
  request.ids = input.ids;
  request.dtype = dtype;
  request.warmup = kWarmup;
  request.iterations = kIterations;
  const auto outcome = exec::run_plan(request, exec::run_on_threads);
  if (!outcome) return outcome.error();
  if (!outcome->measurement) return input_error("a plan that is known to work was not run");
  return *outcome->measurement;
}

std::string number(double value) { return to_json(Value{value}); }

// "64x128x32"
std::vector<std::string> extents(const std::string& shape) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= shape.size();) {
    const std::size_t end = std::min(shape.find('x', begin), shape.size());
    parts.push_back(shape.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::optional<ElementwiseOp> elementwise_of(const std::string& name) {
  static const std::map<std::string, ElementwiseOp> known = {
      {"norm", ElementwiseOp::rmsnorm}, {"add", ElementwiseOp::add},   {"silu", ElementwiseOp::gelu},
      {"mul", ElementwiseOp::silu_mul}, {"rope", ElementwiseOp::rope}, {"embedding", ElementwiseOp::embedding}};
  const auto it = known.find(name);
  if (it == known.end()) return std::nullopt;
  return it->second;
}

class Rows {
public:
  explicit Rows(DType dtype) : dtype_(dtype) {
    gemm_ = {kName, {"gpu", "source", "dtype", "m", "n", "k", "time_us"}, {}};
    small_ = {kName, {"gpu", "source", "dtype", "op", "tokens", "width", "time_us"}, {}};
    attention_ = {
        kName,
        {"gpu", "source", "kv_dtype", "batch", "seq_q", "kv_len", "n_q", "n_kv", "head_dim", "window", "time_us"},
        {}};
    collective_ = {kName, {"gpu", "source", "topo", "op", "impl", "dtype", "bytes", "ranks", "nodes", "time_us"}, {}};
  }

  void add(const PassMeasurement& pass, const Decoder& decoder, int tp, DType dtype) {
    BetweenCalls between;
    between.other_us = microseconds(pass.other.p10);
    between.total_us = microseconds(pass.total.p10);
    for (const MeasuredCalls& row : pass.calls) {
      const double us = microseconds(row.each.p10);
      if (!(us > 0)) continue;
      if (row.calls.collective)
        add_collective(row.calls, tp, us, dtype);
      else if (tp == 1)
        add_operation(row.calls, pass, decoder, us, dtype);
      if (row.calls.collective) continue;
      between.kernels += static_cast<double>(row.calls.count);
      if (elementwise_of(row.calls.name)) between.small_us += us * static_cast<double>(row.calls.count);
    }
    if (tp == 1 && dtype == dtype_) between_.push_back(between);
  }

  std::vector<MeasuredTable> tables() const { return {gemm_, small_, attention_, collective_}; }
  const std::vector<BetweenCalls>& between() const { return between_; }
  double best_rate(DType dtype) const { return rate_.count(dtype) != 0 ? rate_.at(dtype) : 0; }
  double bandwidth() const { return bandwidth_; }
  double link() const { return link_; }

private:
  // Several models have calls of one size: the shortest time of it stands.
  void put(MeasuredTable& table, std::vector<std::string> size, double us) {
    const auto [it, is_new] = row_of_.emplace(std::pair(&table, size), Place{table.rows.size(), us});
    if (!is_new && us >= it->second.us) return;
    it->second.us = us;
    size.push_back(number(us));
    if (is_new)
      table.rows.push_back({static_cast<int>(table.rows.size()) + 1, std::move(size)});
    else
      table.rows[it->second.row].cells = std::move(size);
  }

  void add_operation(const CallGroup& calls, const PassMeasurement& pass, const Decoder& decoder, double us,
                     DType dtype) {
    if (calls.name == "linear") return add_product(calls, us, dtype);
    if (dtype != dtype_) return;
    if (calls.name == "attention") {
      const auto s = extents(calls.shape);
      put(attention_,
          {kName, kSource, to_string(dtype), s[0], s[2], s[3], s[1], std::to_string(decoder.kv_heads), s[4], "0"}, us);
    } else if (const auto op = elementwise_of(calls.name)) {
      // The width at which 16-bit elements would be as many bytes.
      const double tokens = static_cast<double>(pass.batch * pass.tokens);
      const double width = static_cast<double>(calls.bytes) / (elementwise_bytes(*op) * tokens);
      put(small_, {kName, kSource, to_string(dtype), tpsim::to_string(*op), number(tokens), number(width)}, us);
    }
  }

  void add_product(const CallGroup& calls, double us, DType dtype) {
    const auto s = extents(calls.shape);
    put(gemm_, {kName, kSource, to_string(dtype), s[0], s[1], s[2]}, us);
    const double flops = 2 * std::stod(s[0]) * std::stod(s[1]) * std::stod(s[2]);
    rate_[dtype] = std::max(rate_[dtype], flops / us * 1e6);
    if (static_cast<double>(calls.bytes) > kInCaches)
      bandwidth_ = std::max(bandwidth_, static_cast<double>(calls.bytes) / us * 1e6);
  }

  void add_collective(const CallGroup& calls, int ranks, double us, DType dtype) {
    put(collective_,
        {kName, kSource, "nvswitch", calls.name, "nccl", to_string(dtype), std::to_string(calls.bytes),
         std::to_string(ranks), "1"},
        us);
    link_ = std::max(link_, static_cast<double>(calls.bytes) / us * 1e6);
  }

  struct Place {
    std::size_t row = 0;
    double us = 0;
  };

  DType dtype_;
  std::map<std::pair<const MeasuredTable*, std::vector<std::string>>, Place> row_of_;  // by table and size
  MeasuredTable gemm_, small_, attention_, collective_;
  std::vector<BetweenCalls> between_;
  std::map<DType, double> rate_;         // FLOP/s
  double bandwidth_ = 1e9, link_ = 1e9;  // bytes/s
};

void put_member(ValueObject& object, const std::string& key, Value value) {
  for (auto& [name, member] : object)
    if (name == key) {
      member = std::move(value);
      return;
    }
  object.emplace_back(key, std::move(value));
}

Value sourced(double amount, const std::string& unit) {
  char text[48];
  std::snprintf(text, sizeof text, "%.4g ", amount);
  return Value{
      ValueObject{{"value", Value{text + unit}}, {"source", Value{std::string("measured by tpsim calibrate --here")}}}};
}

// The generic processor with what was measured here in place of its figures.
Result<void> describe(const Rows& rows, MachineRows& out) {
  const auto generic = parse_json(*find_data("sim/hardware/generic-cpu.json"), "generic-cpu.json");
  if (!generic) return generic.error();
  ValueObject object = std::get<ValueObject>(generic->data);
  const double narrow = std::max(rows.best_rate(DType::bf16), rows.best_rate(DType::fp32)) * 1e-9;
  ValueObject peak;
  for (const char* dtype : {"fp32", "fp16", "bf16", "fp8", "int8"})
    peak.emplace_back(dtype,
                      sourced(std::string(dtype) == "bf16" ? narrow : rows.best_rate(DType::fp32) * 1e-9, "GFLOP/s"));
  put_member(object, "name", Value{std::string(kName)});
  put_member(object, "title", Value{processor_name()});
  put_member(object, "peak", Value{std::move(peak)});
  put_member(object, "memory_bandwidth", sourced(rows.bandwidth() * 1e-9, "GB/s"));
  if (const Value* const shared = find(object, "link")) {
    ValueObject link = std::get<ValueObject>(shared->data);
    put_member(link, "per_direction", sourced(rows.link() * 1e-9, "GB/s"));
    put_member(object, "link", Value{std::move(link)});
  }
  out.machine_text = to_json(Value{std::move(object)});
  auto machine = read_hardware(out.machine_text, kName);
  if (!machine) return machine.error();
  out.machine = *std::move(machine);
  return {};
}

std::string provenance_of(DType dtype) {
  return to_json(
      Value{ValueObject{{"tpsim", Value{std::string(kVersion)}},
                        {"command", Value{std::string("tpsim calibrate --here --dtype ") + to_string(dtype)}},
                        {"processor", Value{processor_name()}},
                        {"hardware_threads", Value{static_cast<std::int64_t>(std::thread::hardware_concurrency())}},
                        {"compiler", Value{std::string(__VERSION__)}},
                        {"iterations", Value{static_cast<std::int64_t>(kIterations)}},
                        {"statistic", Value{std::string("10th percentile: times of a quiet machine")}}}});
}

Result<void> measure_decoder(const Decoder& decoder, DType dtype, DType other, Rows& rows) {
  const auto model = model_of(decoder);
  if (!model) return model.error();
  const int most = std::thread::hardware_concurrency() > 1 ? 2 : 1;
  for (int tp = 1; tp <= most; ++tp)
    for (const std::int64_t prompt : kPrompts)
      for (const DType type : {dtype, other}) {
        if (tp > 1 && type != dtype) continue;
        const auto measured = run(*model, prompt, tp, type);
        if (!measured) return measured.error();
        for (const PassMeasurement& pass : measured->passes) rows.add(pass, decoder, tp, type);
      }
  return {};
}

}  // namespace

void fit_between_calls(const std::vector<BetweenCalls>& passes, Stack& stack) {
  double kk = 0, ks = 0, ss = 0, ko = 0, so = 0;
  for (const BetweenCalls& p : passes) {
    if (!(p.total_us > 0)) continue;
    const double k = p.kernels / p.total_us, s = p.small_us / p.total_us, o = p.other_us / p.total_us;
    kk += k * k, ks += k * s, ss += s * s, ko += k * o, so += s * o;
  }
  const double determinant = kk * ss - ks * ks;
  double each = determinant > 1e-9 * kk * ss ? (ko * ss - so * ks) / determinant : -1;
  double share = determinant > 1e-9 * kk * ss ? (so * kk - ko * ks) / determinant : 0;
  if (each < 0) {
    each = 0;
    share = ss > 0 ? so / ss : 0;
  } else if (share < 0) {
    share = 0;
    each = kk > 0 ? ko / kk : 0;
  }
  stack.operation_us = each;
  stack.small_factor = 1 + share;
}

Result<MachineRows> measure_machine(DType dtype) {
  Rows rows(dtype);
  const DType other = dtype == DType::bf16 ? DType::fp32 : DType::bf16;
  for (const Decoder& decoder : kDecoders)
    if (auto done = measure_decoder(decoder, dtype, other, rows); !done) return done.error();
  MachineRows out;
  out.tables = rows.tables();
  std::erase_if(out.tables, [](const MeasuredTable& table) { return table.rows.empty(); });
  out.stack.name = "tpsim";
  out.stack.fuses = false;
  out.stack.origin = "passes of small decoder models on this machine";
  fit_between_calls(rows.between(), out.stack);
  out.provenance = provenance_of(dtype);
  if (auto described = describe(rows, out); !described) return described.error();
  return out;
}

}  // namespace tpsim::cli
