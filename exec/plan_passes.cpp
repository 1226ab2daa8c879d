#include "exec/plan_passes.h"

#include <algorithm>
#include <utility>

#include "exec/backward_run.h"
#include "exec/interrupt.h"

namespace tpsim::exec {
namespace {

Result<std::vector<Recorded>> record(const RunRequest& request, AnalysisRequest analysis) {
  std::vector<Recorded> passes;
  analysis.workload.batch = request.ids_shape[0];
  analysis.workload.tokens = request.ids_shape[1];
  analysis.workload.weights = analysis.workload.activations = analysis.workload.kv_cache = request.dtype;
  const int measured = request.iterations > 0 ? 2 : 1;
  for (int step = 0; step < std::max(measured, request.generate); ++step) {
    if (run_stopped()) return stop_reason();
    Recorded pass;
    pass.recording.training = request.train;
    auto analysed = analyze(*request.model, analysis, &pass.recording);
    if (!analysed) return analysed.error();
    pass.analysis = *std::move(analysed);
    const bool runs = pass.analysis.complete;
    passes.push_back(std::move(pass));
    if (!runs) break;
    analysis.workload.past = request.ids_shape[1] + step;
    analysis.workload.tokens = 1;
  }
  return passes;
}

AnalysisRequest without_plan(AnalysisRequest request) {
  request.parallelism = {};
  request.plan = {};
  request.plan.kind = PlanKind::none;
  return request;
}

// What a training step needs beside: the backward of every operation.
Result<void> check_training(const Recorded& unsharded, const Recorded& sharded) {
  for (const Recorded* pass : {&unsharded, &sharded})
    if (auto known = check_trainable(*pass); !known) return known;
  return {};
}

}  // namespace

std::int64_t training_bytes(const PlanPasses& passes, const RunRequest& request) {
  const std::int64_t number = request.float64 ? 8 : 4;
  const Analysis& sharded = passes.sharded.front().analysis;
  const int here = request.ranks_here.value_or(sharded.ranks());
  std::int64_t weights = total_weight_bytes(sharded);
  for (std::size_t r = 0; r < sharded.memory.size() && r < static_cast<std::size_t>(here); ++r)
    weights += sharded.memory[r].weights;
  weights = weights / (element_bits(request.dtype) / 8) * number;
  return 2 * (bytes_of_outputs(passes.unsharded.front(), number) +
              bytes_of_outputs(passes.sharded.front(), number) * here + weights);
}

Result<PlanPasses> record_passes(const RunRequest& request) {
  auto unsharded = record(request, without_plan(request.analysis));
  if (!unsharded) return unsharded.error();
  auto sharded = record(request, request.analysis);
  if (!sharded) return sharded.error();
  if (unsharded->front().analysis.verdict != Verdict::right)
    return input_error("the model's forward pass is not described, so it cannot be executed");
  if (auto known = check_executable(unsharded->front()); !known) return known.error();
  if (sharded->front().analysis.verdict != Verdict::error)
    if (auto known = check_executable(sharded->front()); !known) return known.error();
  if (request.train)
    if (auto known = check_training(unsharded->front(), sharded->front()); !known) return known.error();
  return PlanPasses{*std::move(unsharded), *std::move(sharded)};
}

std::int64_t bytes_of_outputs(const Recorded& pass, std::int64_t size_of_number) {
  std::int64_t bytes = 0;
  for (const Step& step : pass.analysis.steps)
    for (const RecordedOp& op : pass.recording.traces[static_cast<std::size_t>(step.trace)].code)
      if (op.primitive != Primitive::parameter)
        for (const RankShapes& shape : op.shapes) bytes += shape.at(0).numel() * size_of_number;
  return bytes;
}

std::int64_t longest_reduction(const Model& model) {
  std::int64_t longest = 1;
  for (const ModuleType& type : model.types)
    for (const ParameterSpec& p : type.parameters)
      if (p.shape.rank() > 1 && type.kind != ModuleKind::embedding) longest = std::max(longest, p.shape[-1]);
  return longest;
}

}  // namespace tpsim::exec
