#include "exec/run_plan.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "exec/thread_ranks.h"

namespace tpsim::exec {
namespace {

double epsilon_of(const RunRequest& request) {
  if (request.dtype == DType::bf16) return 0x1.0p-9;
  if (request.dtype == DType::fp16) return 0x1.0p-12;
  return request.float64 ? 0x1.0p-53 : 0x1.0p-24;
}

Rounding rounding_of(DType dtype) {
  return dtype == DType::bf16 ? Rounding::bf16 : dtype == DType::fp16 ? Rounding::fp16 : Rounding::none;
}

// Longest sum of one matrix product of the model.
std::int64_t longest_reduction(const Model& model) {
  std::int64_t longest = 1;
  for (const ModuleType& type : model.types)
    for (const ParameterSpec& p : type.parameters)
      if (p.shape.rank() > 1 && type.kind != ModuleKind::embedding) longest = std::max(longest, p.shape[-1]);
  return longest;
}

constexpr std::int64_t kMostKept = std::int64_t{2} << 30;  // bytes of the unsharded model's tensors

std::int64_t bytes_of_outputs(const Recorded& pass, std::int64_t size) {
  std::int64_t bytes = 0;
  for (const Step& step : pass.analysis.steps)
    for (const RecordedOp& op : pass.recording.traces[static_cast<std::size_t>(step.trace)].code)
      if (op.primitive != Primitive::parameter)
        for (const RankShapes& shape : op.shapes) bytes += shape.at(0).numel() * size;
  return bytes;
}

// What the modules of the unsharded model return, in order of the calls.
template <class Real>
class Reference final : public RunObserver<Real> {
public:
  // `all`: of every module; else of layers and the model only.
  explicit Reference(bool all) : all_(all) {}
  void module_returned(const RecordedOutput& output, const std::string& module, const Tensor<Real>& value) override {
    if (all_ || output.module.empty()) returned_[module].push_back(value);
  }
  const Tensor<Real>* find(const std::string& module, std::size_t call) const {
    const auto found = returned_.find(module);
    return found == returned_.end() || call >= found->second.size() ? nullptr : &found->second[call];
  }

private:
  bool all_;
  std::map<std::string, std::vector<Tensor<Real>>> returned_;
};

// Compares what a rank's modules return with the unsharded model's.
template <class Real>
class Comparison final : public RunObserver<Real> {
public:
  Comparison(const Reference<Real>& reference, int rank, double epsilon, std::int64_t reduction)
      : reference_(reference), rank_(rank), epsilon_(epsilon), reduction_(reduction) {}

  void module_returned(const RecordedOutput& output, const std::string& module, const Tensor<Real>& value) override {
    const std::size_t call = calls_[module]++;
    ++depth_;
    if (output.layout.content == Content::partial) return;  // nothing of the unsharded model to compare with
    const Tensor<Real>* whole = reference_.find(module, call);
    if (whole == nullptr) return;
    static const std::vector<Range> kAll;
    const bool sharded = output.layout.content == Content::sharded;
    ModuleError result;
    result.module = module;
    result.error = error_of(value, *whole, output.layout.dim, sharded ? output.ranges[static_cast<std::size_t>(rank_)] : kAll);
    if (result.error) result.band = rounding_band(epsilon_, reduction_, depth_, std::max(result.error->reference_rms, kSmall));
    result.inside = result.error && result.error->finite && result.error->max_abs <= result.band;
    errors.push_back(std::move(result));
  }

  std::vector<ModuleError> errors;

private:
  static constexpr double kSmall = 1e-6;

  const Reference<Real>& reference_;
  int rank_;
  double epsilon_;
  std::int64_t reduction_;
  std::int64_t depth_ = 0;
  std::map<std::string, std::size_t> calls_;
};

template <class Real>
std::vector<std::int64_t> best_tokens(const Tensor<Real>& logits) {
  const std::int64_t batch = logits.shape[0], tokens = logits.shape[1], words = logits.shape[2];
  std::vector<std::int64_t> best;
  for (std::int64_t b = 0; b < batch; ++b) {
    const Real* row = logits.data() + ((b + 1) * tokens - 1) * words;
    best.push_back(std::max_element(row, row + words) - row);
  }
  return best;
}

// One plan, recorded for the prompt and for each token after it.
Result<std::vector<Recorded>> record(const RunRequest& request, AnalysisRequest analysis) {
  std::vector<Recorded> passes;
  analysis.workload.batch = request.ids_shape[0];
  analysis.workload.tokens = request.ids_shape[1];
  analysis.workload.weights = analysis.workload.activations = analysis.workload.kv_cache = request.dtype;
  for (int step = 0; step <= std::max(0, request.generate - 1); ++step) {
    Recorded pass;
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

template <class Real>
struct RankResult {
  Tensor<Real> logits;
  std::vector<ExecutedEvent> events;
  std::vector<std::vector<std::int64_t>> generated;
};

template <class Real>
Result<RankResult<Real>> run_rank(const RunRequest& request, const std::vector<Recorded>& passes, Communicator& communicator,
                                  RunObserver<Real>* observer) {
  RankRun<Real> rank(*request.model, *request.weights, communicator, rounding_of(request.dtype));
  auto logits = rank.forward(passes.front(), make_ids<Real>(request.ids_shape, request.ids), 0, observer);
  if (!logits) return logits.error();
  RankResult<Real> result{*logits, rank.events(), {}};
  const auto batch = static_cast<std::size_t>(request.ids_shape[0]);
  if (request.generate > 0) result.generated.resize(batch);
  Tensor<Real> last = *logits;
  for (int step = 0; step < request.generate; ++step) {
    if (last.shape.rank() != 3) return input_error("the model gives no logits [batch, tokens, vocabulary] to choose tokens from");
    const auto tokens = best_tokens(last);
    for (std::size_t b = 0; b < batch; ++b) result.generated[b].push_back(tokens[b]);
    if (step + 1 == request.generate) break;
    auto next = rank.forward(passes[static_cast<std::size_t>(step) + 1], make_ids<Real>(Shape{request.ids_shape[0], 1}, tokens),
                             request.ids_shape[1] + step, nullptr);
    if (!next) return next.error();
    last = *std::move(next);
  }
  return result;
}

std::vector<ExecutedEvent> analysed_events(const Analysis& analysis, const std::vector<ExecutedEvent>& executed) {
  std::vector<ExecutedEvent> expected;
  for (const CollectiveEvent& event : events(analysis)) expected.push_back({event.op, event.module, event.input_shape});
  // Where routing decides a size, the analysis has the mean.
  const auto analysed = events(analysis);
  for (std::size_t i = 0; i < expected.size() && i < executed.size(); ++i)
    if (analysed[i].data_dependent) expected[i].input = executed[i].input;
  return expected;
}

// The first module in order of execution, on any rank, that left its band.
std::optional<ModuleError> first_outside(const std::vector<std::vector<ModuleError>>& by_rank) {
  std::size_t longest = 0;
  for (const auto& errors : by_rank) longest = std::max(longest, errors.size());
  for (std::size_t i = 0; i < longest; ++i)
    for (const auto& errors : by_rank)
      if (i < errors.size() && !errors[i].inside) return errors[i];
  return std::nullopt;
}

// Those of the layers.
std::vector<ModuleError> of_layers(const std::vector<ModuleError>& errors, const Analysis& analysis) {
  std::vector<ModuleError> layers;
  for (const ModuleError& error : errors)
    for (const Step& step : analysis.steps)
      if (!step.prefix.empty() && step.prefix == error.module) {
        layers.push_back(error);
        break;
      }
  return layers;
}

template <class Real>
Result<RunOutcome> run_in(const RunRequest& request, const RankLauncher& launch) {
  AnalysisRequest alone = request.analysis;
  alone.parallelism = {};
  alone.plan = {};
  alone.plan.kind = PlanKind::none;
  const auto unsharded = record(request, alone);
  if (!unsharded) return unsharded.error();
  const auto sharded = record(request, request.analysis);
  if (!sharded) return sharded.error();
  if (unsharded->front().analysis.verdict != Verdict::right) {
    Error error = input_error("the model's forward pass is not described, so it cannot be executed");
    return error;
  }
  if (auto known = check_executable(unsharded->front()); !known) return known.error();

  RunOutcome outcome;
  outcome.analysis = sharded->front().analysis;
  Reference<Real> reference(bytes_of_outputs(unsharded->front(), sizeof(Real)) < kMostKept);
  RankResult<Real> whole;
  auto done = run_on_threads(1, [&](Communicator& communicator) -> Result<void> {
    auto result = run_rank<Real>(request, *unsharded, communicator, &reference);
    if (!result) return result.error();
    whole = *std::move(result);
    return {};
  });
  if (!done) return done.error();
  outcome.generated_unsharded = whole.generated;
  if (!request.reference_logits.empty()) {
    Tensor<Real> logits = make_tensor<Real>(whole.logits.shape);
    if (logits.real->size() != request.reference_logits.size())
      return input_error("the reference logits are not of the shape " + to_string(whole.logits.shape) + " that the model gives");
    std::copy(request.reference_logits.begin(), request.reference_logits.end(), logits.real->begin());
    outcome.unsharded_vs_reference = error_of<Real>(whole.logits, logits, 0, {});
  }
  if (outcome.analysis.verdict == Verdict::error) {
    outcome.verdict = Verdict::error;
    return outcome;
  }
  if (auto known = check_executable(sharded->front()); !known) return known.error();

  const int ranks = outcome.analysis.ranks();
  const double epsilon = epsilon_of(request);
  const std::int64_t reduction = longest_reduction(*request.model);
  std::vector<RankResult<Real>> results(static_cast<std::size_t>(ranks));
  std::vector<std::vector<ModuleError>> errors(static_cast<std::size_t>(ranks));
  done = launch(ranks, [&](Communicator& communicator) -> Result<void> {
    const auto rank = static_cast<std::size_t>(communicator.rank());
    Comparison<Real> comparison(reference, communicator.rank(), epsilon, reduction);
    auto result = run_rank<Real>(request, *sharded, communicator, &comparison);
    if (!result) return result.error();
    results[rank] = *std::move(result);
    errors[rank] = std::move(comparison.errors);
    return {};
  });
  if (!done) return done.error();

  outcome.events = results.front().events;
  outcome.events_as_analysed = outcome.events == analysed_events(outcome.analysis, outcome.events);
  outcome.generated = results.front().generated;
  outcome.layers = of_layers(errors.front(), outcome.analysis);
  std::int64_t depth = 0;
  for (const auto& list : errors) depth = std::max(depth, static_cast<std::int64_t>(list.size()));
  bool right = true;
  for (const RankResult<Real>& result : results) {
    const auto error = error_of<Real>(result.logits, whole.logits, 0, {});
    if (error) outcome.band = rounding_band(epsilon, reduction, depth, error->reference_rms);
    const bool worst = error && (!outcome.sharded_vs_unsharded || error->max_abs > outcome.sharded_vs_unsharded->max_abs);
    if (worst) outcome.sharded_vs_unsharded = error;
    right = right && error && error->finite && error->max_abs <= outcome.band;
  }
  outcome.verdict = right ? Verdict::right : Verdict::wrong;
  if (!right) outcome.first_divergent = first_outside(errors);
  return outcome;
}

}  // namespace

Result<RunOutcome> run_plan(const RunRequest& request, const RankLauncher& launch) {
  return request.float64 ? run_in<double>(request, launch) : run_in<float>(request, launch);
}

}  // namespace tpsim::exec
