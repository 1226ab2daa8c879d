#include "sim/measured/training_row.h"

#include <algorithm>
#include <string_view>

#include "core/analyze.h"
#include "core/data.h"
#include "core/json.h"
#include "sim/training/training_memory.h"
#include "sim/training/training_time.h"

namespace tpsim {
namespace {

constexpr double kGib = 1 << 30;
constexpr double kGb = 1e9;
constexpr std::string_view kPlans = "sim/measured/training_plans.json";

// Half widths in ln that held 90 % of the published rows of a metric; none of them was fitted. Trainers report what
// their allocator reserved at some point, with fragments and whatever else a recipe keeps.
struct MemoryBand {
  std::string_view metric;
  double width;
};
constexpr MemoryBand kMemoryBands[] = {
    {"mem_peak_alloc", 0.012},  {"mem_peak_reserved", 0.027},
    {"mem_activations", 0.075}, {"mem_params_grads_optimizer", 0.03},
    {"mem_nvidia_smi", 0.15},   {"mem_peak_reported", 0.3},
};
double memory_band(std::string_view metric) {
  for (const MemoryBand& band : kMemoryBands)
    if (metric.starts_with(band.metric)) return band.width;
  return kMemoryBands[std::size(kMemoryBands) - 1].width;
}

bool says(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

Recompute recompute_of(const E2eRow& row) {
  const std::string& n = row.notes;
  if (says(n, "no recomputation") || says(n, "no activation checkpointing")) return Recompute::none;
  if (says(n, "elective recomputation")) return Recompute::selective;
  if (says(n, "full activation") || says(n, "full recomputation") || says(n, "activation checkpointing on") ||
      says(row.source, "SC21"))
    return Recompute::full;
  return Recompute::none;
}

ZeroStage zero_of(const E2eRow& row) {
  const std::string& n = row.notes;
  if (says(n, "ZeRO-3") || says(n, "(fsdp) on")) return ZeroStage::weights;
  if (says(n, "ZeRO-1") || says(n, "ZeRO stage 1") || says(n, "distributed optimizer") ||
      says(n, "optimizer state sharded"))
    return ZeroStage::optimizer;
  return ZeroStage::none;
}

// Megatron before 2023 had no flash attention.
bool has_flash_attention(const E2eRow& row) {
  return !says(row.source, "vTrain") && !says(row.source, "BigScience") && !says(row.source, "Korthikanti") &&
         !says(row.source, "SC21");
}

// Context-parallel ranks share out the sequence so that each has as much to attend to: this many keys for its tokens.
std::int64_t context_parallel_reach(const E2eRow& row) {
  const std::int64_t own = std::max<std::int64_t>(1, row.input_len / row.cp);
  return std::max(own, (row.input_len + own) / 2);
}

Workload micro_batch(const E2eRow& row, const Precision& precision) {
  Workload w;
  w.batch = std::max<std::int64_t>(1, row.micro_batch);
  w.tokens = std::max<std::int64_t>(1, row.input_len / row.cp);
  w.past = context_parallel_reach(row) - w.tokens;
  w.weights = w.activations = precision.activations;
  return w;
}

void add_rules(const ValueObject& entry, std::string_view key, Plan& plan) {
  const Value* list = find(entry, key);
  const auto* rules = list == nullptr ? nullptr : std::get_if<ValueObject>(&list->data);
  if (rules == nullptr) return;
  for (const auto& [module, strategy] : *rules)
    if (const auto* text = std::get_if<std::string>(&strategy.data)) plan.rules.push_back({module, *text, {}, {}});
}

// Megatron's plan of that type. Errors: none is described.
Result<Plan> training_plan(const std::string& model_type, bool sequence_parallel) {
  const auto text = find_data(kPlans);
  const auto data = text ? parse_json(*text, data_origin(kPlans)) : Result<Value>(input_error("no training plans"));
  if (!data) return data.error();
  const auto* all = std::get_if<ValueObject>(&data->data);
  const Value* entry = all == nullptr ? nullptr : find(*all, model_type);
  if (entry == nullptr) return input_error("no plan for training models of type \"" + model_type + "\" is described");
  Plan plan;
  plan.name = "Megatron";
  const auto& object = std::get<ValueObject>(entry->data);
  add_rules(object, "plan", plan);
  if (sequence_parallel) add_rules(object, "sequence", plan);
  return plan;
}

Result<Analysis> training_analysis(const E2eModel& model, const E2eRow& row, bool sequence_parallel,
                                   const Precision& precision) {
  AnalysisRequest request;
  request.dialect = model.dialect;
  request.dialect.extensions = true;
  request.parallelism.tp = row.tp;
  request.workload = micro_batch(row, precision);
  request.plan.kind = row.tp == 1 ? PlanKind::none : PlanKind::manual;
  if (row.tp > 1) {
    auto plan = training_plan(model.model.model_type, sequence_parallel);
    if (!plan) return plan.error();
    request.plan.plan = std::move(*plan);
  }
  auto analysis = analyze(model.model, request);
  if (analysis && !analysis->complete)
    return input_error("the plan stops the forward pass at TP " + std::to_string(row.tp));
  return analysis;
}

// Tokens of one step over all replicas.
double tokens_per_step(const E2eRow& row) {
  return static_cast<double>(row.batch.value_or(1)) * static_cast<double>(row.input_len);
}

double gigabytes(const E2eRow& row, std::int64_t bytes) {
  return static_cast<double>(bytes) / (row.unit == "GiB" ? kGib : kGb);
}

// What nvidia-smi counts beside the allocator: context, library handles, communicators.
std::int64_t outside_allocator(const Hardware& h, const E2eRow& row) {
  return h.runtime_reserve.value + (row.gpus > 1 ? h.communicator_reserve.value : 0);
}

Result<std::int64_t> memory_bytes(const E2eRow& row, const std::vector<TrainingMemory>& stages, const Hardware& h) {
  const TrainingMemory& heaviest = heaviest_stage(stages);
  const std::string& m = row.metric;
  if (m == "mem_peak_alloc") return heaviest.total();
  if (m == "mem_peak_alloc_last_stage") return stages.back().total();
  if (m == "mem_activations") return stages.front().activations;
  if (m == "mem_params_grads_optimizer") {
    const TrainingMemory& first = stages.front();
    return first.weights + first.gradients + first.optimizer;
  }
  const auto reserved = static_cast<std::int64_t>(static_cast<double>(heaviest.total()) * kReservedByAllocator);
  if (m == "mem_peak_reserved" || m == "mem_peak_reported") return reserved;
  if (m == "mem_nvidia_smi") return reserved + outside_allocator(h, row);
  return input_error("metric \"" + m + "\" is not predicted");
}

Result<double> time_value(const E2eRow& row, const TrainingPrediction& p, const Hardware& h, const Analysis& a) {
  const std::string& m = row.metric;
  const double step = p.step.count();
  if (m == "step_time" || m == "step_time_derived") return step * 1e3;
  if (m == "tokens_per_s_per_gpu") return tokens_per_step(row) / step / row.gpus;
  // Of one replica's ranks: the stages share the layers, the ranks of the plan each layer.
  const double replicas_share = static_cast<double>(row.pp);
  if (m == "mfu_percent")
    return 100 * p.model_flops / replicas_share / step / peak_rate(h, a.workload.activations).value;
  if (m == "hw_tflops_per_gpu") return p.hardware_flops / replicas_share / step / 1e12;
  if (m == "layer_forward") return p.layer_forward.count() * 1e3;
  if (m == "layer_backward") return p.layer_backward.count() * 1e3;
  return input_error("metric \"" + m + "\" is not predicted");
}

bool is_memory(const E2eRow& row) { return row.metric.starts_with("mem_"); }

}  // namespace

TrainingRun training_run_of(const E2eRow& row) {
  TrainingRun run;
  TrainingSetup& s = run.setup;
  s.saved.recompute = recompute_of(row);
  s.saved.flash_attention = has_flash_attention(row);
  s.saved.dropout = !s.saved.flash_attention;
  s.data_parallel = std::max(row.dp, 1);
  s.pipeline = std::max(row.pp, 1);
  s.zero = zero_of(row);
  const std::int64_t per_replica = row.batch.value_or(1) / s.data_parallel;
  s.micro_batches = std::max<std::int64_t>(1, per_replica / std::max<std::int64_t>(1, row.micro_batch));
  if (says(row.notes, "half gradient accumulation")) s.gradients = DType::fp16;
  s.two_gradients = says(row.notes, "fp32 gradient accumulation") && says(row.framework, "DeepSpeed");
  s.overlap_gradients = says(row.notes, "overlap on") || s.zero == ZeroStage::weights;
  run.sequence_parallel =
      row.tp > 1 && (says(row.notes, "sequence parallelism on") || says(row.notes, "+ sequence parallel") ||
                     row.notes.starts_with("sequence parallel") || says(row.notes, "FSDP 8 x"));
  return run;
}

Result<TrainingRowValue> predict_training_row(const E2eModel& model, const E2eRow& row, Predictor& predictor) {
  if (row.metric == "oom") return input_error("whether a run fails is not a number");
  const TrainingRun run = training_run_of(row);
  if (run.setup.pipeline > model.layers) return input_error("more pipeline stages than layers");
  const auto precision = precision_of(row);
  if (!precision) return precision.error();
  const auto analysis = training_analysis(model, row, run.sequence_parallel, *precision);
  if (!analysis) return analysis.error();
  if (is_memory(row)) {
    if (says(row.notes, "selective activation checkpointing") || says(row.notes, "context parallel"))
      return input_error(
          "what selective checkpointing of single operations or context parallelism keeps is not described");
    const auto bytes = memory_bytes(row, training_memory(*analysis, run.setup), predictor.hardware());
    if (!bytes) return bytes.error();
    return TrainingRowValue{gigabytes(row, *bytes), memory_band(row.metric), NumberSource::spec};
  }
  const TrainingPrediction p = predict_training(*analysis, predictor, run.setup);
  const auto value = time_value(row, p, predictor.hardware(), *analysis);
  if (!value) return value.error();
  return TrainingRowValue{*value, p.band, p.source};
}

}  // namespace tpsim
