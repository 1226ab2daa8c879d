#include "core/analyze.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/checked.h"
#include "core/effective_plan.h"
#include "core/interpreter.h"
#include "core/lint.h"
#include "core/machine.h"
#include "core/placed_model.h"
#include "core/recorder.h"
#include "core/shard_list.h"
#include "core/tensor_ops.h"

namespace tpsim {
namespace {

Result<void> check_sizes(const AnalysisRequest& request) {
  const Parallelism& p = request.parallelism;
  for (const auto& [name, size] : {std::pair{"--tp", p.tp}, std::pair{"--ep", p.ep}})
    if (size < 1 || size > kMaxRanks) {
      Error error = usage_error(std::string(name) + " " + std::to_string(size) + " is not a number of ranks: 1 to " +
                                std::to_string(kMaxRanks));
      return error;
    }
  const Workload& w = request.workload;
  const bool sane = w.batch > 0 && w.tokens > 0 && w.past >= 0 && w.batch <= (1 << 24) && w.tokens <= (1 << 28) &&
                    w.past <= (1 << 28);
  if (!sane) return usage_error("batch and token counts must be positive and at most 16 Mi and 256 Mi");
  return {};
}

// Bounds every product of the analysis: bytes of the widest tensors that live together, of all layers' caches, of what
// all experts or all ranks hold.
Result<void> check_volume(const Model& model, const AnalysisRequest& request) {
  std::int64_t widest = 1;
  for (const ModuleType& type : model.types)
    for (const ParameterSpec& parameter : type.parameters)
      for (const std::int64_t extent : parameter.shape) widest = std::max(widest, extent);
  const Workload& w = request.workload;
  const std::int64_t positions = w.batch * (w.tokens + w.past);
  const std::int64_t copies =
      std::max({model.layers, model.experts, std::int64_t{request.parallelism.tp}, std::int64_t{1}});
  if (checked_mul(saturating_mul(positions, widest), saturating_mul(copies, 16))) return {};
  Error error = usage_error("batch " + std::to_string(w.batch) + " with " + std::to_string(w.tokens) + " new and " +
                            std::to_string(w.past) + " cached tokens gives tensors whose bytes do not fit 64 bits");
  error.details.push_back("the widest tensor of the model has " + std::to_string(widest) + " columns");
  return error;
}

// What the caller of the model gets: right only if every rank holds the unsharded model's tensor.
void judge_output(Machine& m, const ForwardRun& run, Analysis& a) {
  const ForwardValue& output = run.output;
  if (!output.is_tensor()) return;
  const TensorState& logits = output.tensor;
  a.logits_shape = logits.local.at(0);
  a.expected_logits_shape = logits.ideal;
  const bool whole = logits.layout.content == Content::replicated && logits.layout.scale == 1 &&
                     logits.local == RankShapes(logits.ideal);
  if (whole || logits.belief) return;
  a.verdict = Verdict::wrong;
  if (logits.layout.content == Content::wrong) return;
  m.module.clear();
  m.prefix.clear();
  const std::size_t causes = m.causes().size();
  if (logits.layout.content == Content::sharded)
    m.wrong("TP108", "every rank returns its own part of the logits, " + to_string(a.logits_shape) + " instead of " +
                         to_string(logits.ideal));
  else if (logits.layout.content == Content::partial)
    m.wrong("TP106", "the logits are partial sums that nothing has reduced");
  else
    m.wrong("TP107", "the logits are multiplied by " + std::to_string(logits.layout.scale));
  m.explain_causes(causes, {run.output_origin});
}

void measure_memory(const Machine& m, Analysis& a) {
  const int ranks = a.ranks();
  a.memory.assign(static_cast<std::size_t>(ranks), {});
  for (const ShardSpec& spec : a.shards)
    for (int r = 0; r < ranks; ++r) {
      const std::int64_t bytes = spec.ranks[static_cast<std::size_t>(r)].bytes * spec.count;
      RankMemory& memory = a.memory[static_cast<std::size_t>(r)];
      memory.weights += bytes;
      if (ranks > 1 && std::holds_alternative<Replicate>(spec.placement)) memory.weights_replicated += bytes;
    }
  std::int64_t cache = 0, activations = 0, communication = 0;
  for (const Step& step : a.steps) {
    const Trace& trace = a.traces[static_cast<std::size_t>(step.trace)];
    cache += trace.cache_bytes;
    a.kv_bytes_per_token += trace.cache_bytes_per_position * m.ranks();
    activations = std::max(activations, trace.peak_activation_bytes);
    for (const CollectiveEvent& event : trace.forward) {
      const std::int64_t input = event.numel * element_bits(event.dtype) / 8;
      communication =
          std::max(communication, event.op == CollectiveOp::all_gather ? input + event.payload_bytes : 2 * input);
    }
  }
  for (RankMemory& memory : a.memory) {
    memory.kv_cache = cache;
    memory.activations = activations;
    memory.communication = communication;
    memory.logits = a.logits_shape.rank() == 0 ? 0 : storage_bytes(a.workload.activations, a.logits_shape);
  }
}

void count_rules(const PlacedModel& placed, Analysis& a) {
  for (const ShardSpec& spec : a.shards)
    if (spec.rule >= 0) a.rules[static_cast<std::size_t>(spec.rule)].parameters += spec.count;
  const auto count = [&](auto&& self, int node, std::int64_t times) -> void {
    const PlacedNode& n = placed.node(node);
    if (n.rule >= 0) a.rules[static_cast<std::size_t>(n.rule)].modules += times;
    for (const PlacedChild& child : n.children) {
      std::vector<std::pair<int, std::int64_t>> elements;
      for (int e : child.nodes) {
        const auto known = std::find_if(elements.begin(), elements.end(), [e](const auto& x) { return x.first == e; });
        if (known == elements.end())
          elements.emplace_back(e, 1);
        else
          ++known->second;
      }
      for (const auto& [element, n_times] : elements) self(self, element, times * n_times);
    }
  };
  count(count, placed.root, 1);
}

}  // namespace

Result<Analysis> analyze(const Model& model, const AnalysisRequest& request, Recording* recording) {
  if (auto sizes = check_sizes(request); !sizes) return sizes.error();
  if (auto volume = check_volume(model, request); !volume) return volume.error();
  Analysis a;
  a.model_type = model.model_type;
  a.class_name = model.class_name;
  a.dialect = request.dialect;
  a.parallelism = request.parallelism;
  a.workload = request.workload;
  const EffectivePlan plan = effective_plan(model, request);
  a.plan_name = plan.name;
  a.plan_source = plan.source;
  Machine m(request.parallelism.tp, request.dialect, request.workload);
  PlacedModel placed = place_model(m, model, plan, request);
  a.rules = placed.rules;
  a.shards = list_shards(m, model, placed, request);
  a.parameter_count = parameter_count(model);
  count_rules(placed, a);

  std::vector<Cause> decisive;
  for (const LoadFault& fault : placed.faults) decisive.push_back(fault.cause);
  const bool loads = plan.refusals.empty() && placed.faults.empty();
  if (!loads) {
    a.verdict = Verdict::error;
    a.complete = false;
  } else if (!model.has_forward) {
    a.verdict = Verdict::unknown;
    a.complete = false;
  } else {
    Recorder recorder;
    if (recording != nullptr) {
      recorder.recording.training = recording->training;
      m.recorder = &recorder;
    }
    ForwardRun run = run_forward(m, model, placed, request);
    if (recording != nullptr) *recording = std::move(recorder.recording);
    m.recorder = nullptr;
    a.traces = std::move(run.traces);
    a.steps = std::move(run.steps);
    if (m.failed()) {
      a.verdict = Verdict::error;
      a.complete = false;
      decisive.push_back(m.fault());
    } else {
      judge_output(m, run, a);
      if (a.verdict == Verdict::wrong) {
        const int cause = run.output.is_tensor() ? run.output.tensor.layout.cause : -1;
        if (!m.causes().empty())
          decisive.push_back(cause >= 0 ? m.causes()[static_cast<std::size_t>(cause)] : m.causes().back());
      }
    }
  }
  if (loads && model.has_forward) a.sound_operations = decisive.empty() ? m.operations() : decisive.back().operations;
  measure_memory(m, a);
  lint(model, request, plan, decisive, a);
  return a;
}

std::vector<int> valid_tp_sizes(const Model& model, const AnalysisRequest& request, int limit) {
  std::vector<int> valid;
  AnalysisRequest one = request;
  one.workload = Workload{};
  one.workload.batch = 2;
  one.workload.tokens = 12;
  for (int tp = 1; tp <= limit; ++tp) {
    one.parallelism.tp = tp;
    if (one.parallelism.ep > 1) one.parallelism.ep = tp;
    const auto analysis = analyze(model, one);
    if (analysis && analysis->verdict == Verdict::right) valid.push_back(tp);
  }
  return valid;
}

}  // namespace tpsim
