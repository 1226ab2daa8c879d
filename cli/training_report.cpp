#include "cli/training_report.h"

#include <algorithm>

namespace tpsim::cli {
namespace {

constexpr int kValidLimit = 16, kHighestLimit = 64;

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

TrainingSetup setup_of(const TrainingOptions& options) {
  TrainingSetup setup;
  setup.saved.recompute = options.recompute.value_or(Recompute::none);
  setup.data_parallel = options.data_parallel.value_or(1);
  setup.pipeline = options.pipeline.value_or(1);
  setup.virtual_stages = options.virtual_stages.value_or(1);
  setup.micro_batches = options.micro_batches.value_or(setup.pipeline);
  setup.zero = options.zero.value_or(ZeroStage::none);
  setup.gradients = options.gradients.value_or(DType::fp32);
  setup.optimizer = options.optimizer.value_or(DType::fp32);
  return setup;
}

Result<void> check_setup(const Scenario& s, const TrainingSetup& setup, const TpChoice& choice) {
  if (!s.model().has_forward)
    return input_error("the forward pass of this model is not described, so its training cannot be worked out",
                       s.input.source.origin);
  if (is_quantised(s.weights))
    return usage_error(std::string("training of ") + to_string(s.weights) + " weights is not described: --dtype bf16");
  const int stages = setup.pipeline * setup.virtual_stages;
  if (setup.virtual_stages > 1 && setup.pipeline == 1) return usage_error("--virtual-stages needs a pipeline: --pp N");
  if (setup.pipeline > kMaxRanks / setup.virtual_stages || stages > s.model().layers)
    return usage_error("--pp " + std::to_string(setup.pipeline) +
                       (setup.virtual_stages > 1 ? " x --virtual-stages " + std::to_string(setup.virtual_stages) : "") +
                       " cuts " + std::to_string(s.model().layers) + " layers into more pieces than there are");
  constexpr std::int64_t most_devices = 1 << 20;
  const std::int64_t tp = choice.sizes.empty() ? kHighestLimit : choice.sizes.back();
  if (tp * setup.pipeline * setup.data_parallel > most_devices)
    return usage_error("tp x pp x dp is more than " + std::to_string(most_devices) + " devices");
  return {};
}

AnalysisRequest step_request(const Scenario& s, int tp) { return request_for(s, tp, Pass::forward); }

TrainingFit fit_of(const TrainingMemory& parts, const Hardware& h, bool communicates) {
  TrainingFit fit;
  fit.parts = parts;
  fit.allocator = static_cast<std::int64_t>(static_cast<double>(parts.total()) * (kReservedByAllocator - 1));
  fit.runtime = h.runtime_reserve.value + (communicates ? h.communicator_reserve.value : 0);
  fit.total = parts.total() + fit.allocator + fit.runtime;
  fit.capacity = h.memory.value;
  fit.fits = fit.total <= fit.capacity;
  return fit;
}

void add_memory(TrainingResult& result, const TrainingSetup& setup, const Hardware& h) {
  const auto stages = training_memory(result.step, setup);
  const TrainingMemory& heaviest = heaviest_stage(stages);
  result.stage = static_cast<int>(&heaviest - stages.data());
  result.memory = fit_of(heaviest, h, result.devices > 1);
}

double communication_share(const TrainingPrediction& p, const TrainingSetup& setup) {
  Seconds slowest{}, communication{};
  for (const StageTime& stage : p.stages) {
    if (stage.total() <= slowest) continue;
    slowest = stage.total();
    communication = stage.communication + stage.send;
  }
  return ratio((communication * static_cast<double>(setup.micro_batches) + p.gradients).count(), p.step.count());
}

// Adds what one device without a plan is compared with.
void add_time(TrainingResult& r, const TrainingReport& report) {
  const Scenario& s = report.scenario;
  const TrainingSetup& setup = report.setup;
  Predictor predictor(s.hardware, {s.stack, {}});
  r.time = predict_training(r.step, predictor, setup);
  const double step = r.time->step.count();
  r.speedup = ratio(report.baseline.count() * setup.data_parallel, step);
  r.efficiency = ratio(r.speedup, r.devices);
  r.tokens_per_s = ratio(static_cast<double>(report.tokens_per_step()), step);
  const double peak = peak_rate(s.hardware, r.step.workload.activations).value;
  r.mfu = ratio(r.time->model_flops / setup.pipeline, step * peak);
  r.comm_share = communication_share(*r.time, setup);
}

Result<Seconds> baseline_of(const Scenario& s, const TrainingSetup& setup) {
  const auto alone = analyze(s.model(), baseline_request(s, Pass::forward));
  if (!alone) return alone.error();
  TrainingSetup one = setup;
  one.data_parallel = one.pipeline = one.virtual_stages = 1;
  Predictor predictor(s.hardware, {s.stack, {}});
  return predict_training(*alone, predictor, one).step;
}

Result<void> add_size(TrainingReport& report, int tp, const Scenario& with_loss) {
  TrainingResult r;
  r.tp = tp;
  auto forward = analyze(report.scenario.model(), step_request(report.scenario, tp));
  if (!forward) return forward.error();
  auto step = analyze(with_loss.model(), step_request(with_loss, tp));
  if (!step) return step.error();
  r.forward = std::move(*forward);
  r.step = std::move(*step);
  r.devices = r.step.ranks() * report.setup.pipeline * report.setup.data_parallel;
  add_memory(r, report.setup, report.scenario.hardware);
  const bool runs = r.forward.verdict == Verdict::right || r.forward.verdict == Verdict::wrong;
  if (runs && r.step.complete) add_time(r, report);
  merge(report.problems, r.forward.diagnostics, tp);
  report.results.push_back(std::move(r));
  return {};
}

}  // namespace

const Analysis& TrainingReport::shown() const {
  const auto it = std::find_if(results.rbegin(), results.rend(), [](const TrainingResult& r) { return r.runs(); });
  return it == results.rend() ? results.back().forward : it->forward;
}

const TrainingResult* TrainingReport::smallest_fit() const {
  const auto it =
      std::find_if(results.begin(), results.end(), [](const auto& r) { return r.right() && r.memory.fits; });
  return it == results.end() ? nullptr : &*it;
}

std::int64_t TrainingReport::tokens_per_step() const {
  return scenario.batch * scenario.prompt * setup.micro_batches * setup.data_parallel;
}

Result<TrainingReport> build_training_report(Scenario scenario, const TrainingOptions& options,
                                             const TpChoice& choice) {
  TrainingReport report{
      std::move(scenario), setup_of(options), options.sequence_parallel, options.parallel_loss, {}, {}, {}, {}};
  if (auto right = check_setup(report.scenario, report.setup, choice); !right) return right.error();
  Scenario with_loss = report.scenario;
  if (options.parallel_loss)
    if (auto cut = leave_logits_cut(with_loss); !cut) return cut.error();
  const auto baseline = baseline_of(report.scenario, report.setup);
  if (!baseline) return baseline.error();
  report.baseline = *baseline;
  const int limit = std::clamp(choice.sizes.empty() ? 1 : choice.sizes.back(), kValidLimit, kHighestLimit);
  report.valid = valid_sizes(report.scenario.model(), step_request(report.scenario, 1), limit);
  for (const int tp : choice.valid ? report.valid.tp : choice.sizes)
    if (auto added = add_size(report, tp, with_loss); !added) return added.error();
  sort_by_severity(report.problems);
  return report;
}

}  // namespace tpsim::cli
