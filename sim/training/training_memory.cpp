#include "sim/training/training_memory.h"

#include <algorithm>
#include <string_view>

#include "core/dtype.h"
#include "sim/kernel_list.h"

namespace tpsim {
namespace {

constexpr std::int64_t kFp32 = 4;
constexpr std::int64_t kMoments = 2;

std::int64_t width(DType type) { return element_bits(type) / 8; }

// First and one past the last step that is a layer (has a prefix).
struct LayerSteps {
  std::size_t first = 0, last = 0;
  std::size_t count() const { return last - first; }
};

LayerSteps layer_steps(const Analysis& a) {
  LayerSteps layers;
  while (layers.first < a.steps.size() && a.steps[layers.first].prefix.empty()) ++layers.first;
  layers.last = a.steps.size();
  while (layers.last > layers.first && a.steps[layers.last - 1].prefix.empty()) --layers.last;
  return layers;
}

std::int64_t divided(std::int64_t bytes, bool shared, int ranks) {
  return shared ? (bytes + ranks - 1) / ranks : bytes;
}

struct ParameterBytes {
  std::int64_t elements = 0, bytes = 0;
};

bool starts_with(std::string_view name, std::string_view start) { return name.substr(0, start.size()) == start; }

// Parameters of a set by stage: a set below a layer's prefix is on that layer's stage.
void add_set(const ShardSpec& spec, const Analysis& a, const std::vector<int>& stages, bool before_layers,
             std::vector<ParameterBytes>& by_stage) {
  if (spec.ranks.empty()) return;
  const RankShard& shard = spec.ranks.front();
  const LayerSteps layers = layer_steps(a);
  for (const std::string& name : names(spec)) {
    int stage = before_layers ? 0 : static_cast<int>(by_stage.size()) - 1;
    for (std::size_t s = layers.first; s < layers.last; ++s)
      if (starts_with(name, a.steps[s].prefix + ".")) stage = stages[s];
    ParameterBytes& sum = by_stage[static_cast<std::size_t>(stage)];
    sum.elements += shard.shape.numel();
    sum.bytes += shard.bytes;
  }
}

std::vector<ParameterBytes> parameters_by_stage(const Analysis& a, const std::vector<int>& stages, int pipeline) {
  std::vector<ParameterBytes> by_stage(static_cast<std::size_t>(pipeline));
  const LayerSteps layers = layer_steps(a);
  bool before = true;
  for (const ShardSpec& spec : a.shards) {
    const auto all = names(spec);
    const bool of_a_layer =
        layers.count() > 0 && !all.empty() && starts_with(all.front(), a.steps[layers.first].prefix);
    if (of_a_layer) before = false;
    add_set(spec, a, stages, before, by_stage);
  }
  return by_stage;
}

// Micro-batches whose activations a stage holds: stage 0 of p fills the pipeline (Narayanan et al., arXiv 2104.04473,
// section 2.2); interleaving adds (v - 1) / v of a pipeline's worth.
double in_flight(int stage, const TrainingSetup& setup) {
  const double depth = setup.pipeline - stage;
  const double interleaved =
      setup.virtual_stages > 1 ? (setup.pipeline - 1.0) * (setup.virtual_stages - 1) / setup.virtual_stages : 0;
  return std::min(static_cast<double>(setup.micro_batches), depth + interleaved);
}

// Logits of rank 0: the backward pass of the loss starts from the softmax, kept in fp32 beside the logits themselves.
std::int64_t logits_bytes(const Analysis& a) {
  if (a.memory.empty()) return 0;
  const std::int64_t elements = a.memory.front().logits / std::max<std::int64_t>(1, width(a.workload.activations));
  return elements * (width(a.workload.activations) + 2 * kFp32);
}

// The largest product (those of one input as one): its weight's gradient before it is added to the fp32 sum, and the
// gradients of its input and output.
std::int64_t largest_gradients(const Trace& trace) {
  std::int64_t largest = 0, sum = 0;
  const Operation* first = nullptr;
  for (const Operation& op : trace.operations) {
    if (op.kind != OperationKind::gemm && op.kind != OperationKind::grouped_gemm) continue;
    const bool joined = first != nullptr && first->kind == OperationKind::gemm && op.kind == OperationKind::gemm &&
                        same_input(*first, op);
    if (!joined) first = &op;
    sum = joined ? sum + op.weight_bytes + op.output_bytes : op.weight_bytes + op.input_bytes + op.output_bytes;
    largest = std::max(largest, sum);
  }
  return largest;
}

std::int64_t largest_gather(const Trace& trace) {
  std::int64_t largest = 0;
  for (const CollectiveEvent& e : trace.train_forward)
    if (e.op == CollectiveOp::all_gather) largest = std::max(largest, e.payload_bytes);
  return largest;
}

void add_activations(const Analysis& a, const TrainingSetup& setup, const std::vector<int>& stages,
                     std::vector<TrainingMemory>& memory) {
  std::vector<std::int64_t> kept;
  for (const Trace& trace : a.traces) kept.push_back(saved_bytes(trace, a.workload, setup.saved));
  for (std::size_t s = 0; s < a.steps.size(); ++s) {
    const auto trace = static_cast<std::size_t>(a.steps[s].trace);
    const int stage = stages[s];
    TrainingMemory& m = memory[static_cast<std::size_t>(stage)];
    m.activations += static_cast<std::int64_t>(static_cast<double>(kept[trace]) * in_flight(stage, setup));
    const bool of_a_layer = !a.steps[s].prefix.empty();
    if (of_a_layer) m.layer = std::max(m.layer, largest_gradients(a.traces[trace]));
    m.gathered = std::max(m.gathered, largest_gather(a.traces[trace]));
  }
}

TrainingMemory states(const ParameterBytes& p, const Analysis& a, const TrainingSetup& setup) {
  const bool master = width(a.workload.weights) < kFp32;
  const auto shares = [&](ZeroStage from) { return setup.zero >= from; };
  TrainingMemory m;
  m.weights = divided(p.bytes, shares(ZeroStage::weights), setup.data_parallel);
  const std::int64_t gradient = width(setup.gradients) + (setup.two_gradients ? width(a.workload.weights) : 0);
  m.gradients = divided(p.elements * gradient, shares(ZeroStage::gradients), setup.data_parallel);
  const std::int64_t states = kMoments * width(setup.optimizer) + (master ? kFp32 : 0);
  m.optimizer = divided(p.elements * states, shares(ZeroStage::optimizer), setup.data_parallel);
  return m;
}

}  // namespace

std::int64_t TrainingMemory::total() const {
  return weights + gradients + optimizer + activations + std::max(logits, layer) + gathered;
}

std::vector<int> stages_of_steps(const Analysis& a, int pipeline) {
  const LayerSteps layers = layer_steps(a);
  std::vector<int> stages(a.steps.size(), 0);
  const auto p = static_cast<std::size_t>(pipeline);
  for (std::size_t s = layers.first; s < stages.size(); ++s)
    stages[s] = s >= layers.last ? pipeline - 1 : static_cast<int>((s - layers.first) * p / layers.count());
  return stages;
}

std::vector<TrainingMemory> training_memory(const Analysis& a, const TrainingSetup& setup) {
  const std::vector<int> stages = stages_of_steps(a, setup.pipeline);
  std::vector<TrainingMemory> memory;
  for (const ParameterBytes& p : parameters_by_stage(a, stages, setup.pipeline)) memory.push_back(states(p, a, setup));
  add_activations(a, setup, stages, memory);
  memory.back().logits = logits_bytes(a);
  return memory;
}

const TrainingMemory& heaviest_stage(const std::vector<TrainingMemory>& stages) {
  return *std::max_element(stages.begin(), stages.end(),
                           [](const auto& x, const auto& y) { return x.total() < y.total(); });
}

}  // namespace tpsim
