#include "exec/run_plan.h"

#include <algorithm>
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
Result<RankResult<Real>> run_rank(const RunRequest& request, const std::vector<Recorded>& passes,
                                  Communicator& communicator, RunObserver<Real>* observer) {
  RankRun<Real> rank(*request.model, *request.weights, communicator, rounding_of(request.dtype));
  auto logits = rank.forward(passes.front(), make_ids<Real>(request.ids_shape, request.ids), 0, observer);
  if (!logits) return logits.error();
  RankResult<Real> result{*logits, rank.events(), {}};
  const auto batch = static_cast<std::size_t>(request.ids_shape[0]);
  if (request.generate > 0) result.generated.resize(batch);
  Tensor<Real> last = *logits;
  for (int step = 0; step < request.generate; ++step) {
    if (last.shape.rank() != 3)
      return input_error("the model gives no logits [batch, tokens, vocabulary] to choose tokens from");
    const auto tokens = best_tokens(last);
    for (std::size_t b = 0; b < batch; ++b) result.generated[b].push_back(tokens[b]);
    if (step + 1 == request.generate) break;
    auto next =
        rank.forward(passes[static_cast<std::size_t>(step) + 1], make_ids<Real>(Shape{request.ids_shape[0], 1}, tokens),
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

// The two runs of one request and what they say about each other.
template <class Real>
class PlanRun {
public:
  PlanRun(const RunRequest& request, const RankLauncher& launch) : request_(request), launch_(launch) {}

  Result<RunOutcome> run() {
    if (auto done = prepare(); !done) return done.error();
    if (auto done = run_unsharded(); !done) return done.error();
    if (outcome_.analysis.verdict == Verdict::error) {
      outcome_.verdict = Verdict::error;
      return std::move(outcome_);
    }
    if (auto known = check_executable(sharded_.front()); !known) return known.error();
    if (auto done = run_sharded(); !done) return done.error();
    judge();
    return std::move(outcome_);
  }

private:
  Result<void> prepare() {
    AnalysisRequest alone = request_.analysis;
    alone.parallelism = {};
    alone.plan = {};
    alone.plan.kind = PlanKind::none;
    auto unsharded = record(request_, alone);
    if (!unsharded) return unsharded.error();
    auto sharded = record(request_, request_.analysis);
    if (!sharded) return sharded.error();
    unsharded_ = *std::move(unsharded);
    sharded_ = *std::move(sharded);
    outcome_.analysis = sharded_.front().analysis;
    if (unsharded_.front().analysis.verdict != Verdict::right)
      return input_error("the model's forward pass is not described, so it cannot be executed");
    reference_ = Reference<Real>(bytes_of_outputs(unsharded_.front(), sizeof(Real)) < kMostKept);
    return check_executable(unsharded_.front());
  }

  Result<void> run_unsharded() {
    const auto done = run_on_threads(1, [&](Communicator& communicator) -> Result<void> {
      auto result = run_rank<Real>(request_, unsharded_, communicator, &reference_);
      if (!result) return result.error();
      whole_ = *std::move(result);
      return {};
    });
    if (!done) return done;
    outcome_.generated_unsharded = whole_.generated;
    return compare_with_real_logits();
  }

  Result<void> compare_with_real_logits() {
    if (request_.reference_logits.empty()) return {};
    Tensor<Real> logits = make_tensor<Real>(whole_.logits.shape);
    if (logits.real->size() != request_.reference_logits.size())
      return input_error("the reference logits are not of the shape " + to_string(logits.shape) +
                         " that the model gives");
    std::copy(request_.reference_logits.begin(), request_.reference_logits.end(), logits.real->begin());
    outcome_.unsharded_vs_reference = error_of<Real>(whole_.logits, logits, 0, {});
    return {};
  }

  Result<void> run_sharded() {
    const auto ranks = static_cast<std::size_t>(outcome_.analysis.ranks());
    results_.resize(ranks);
    errors_.resize(ranks);
    const std::int64_t reduction = longest_reduction(*request_.model);
    return launch_(static_cast<int>(ranks), [&](Communicator& communicator) -> Result<void> {
      const auto rank = static_cast<std::size_t>(communicator.rank());
      Comparison<Real> comparison(reference_, communicator.rank(), epsilon_of(request_), reduction);
      auto result = run_rank<Real>(request_, sharded_, communicator, &comparison);
      if (!result) return result.error();
      results_[rank] = *std::move(result);
      errors_[rank] = std::move(comparison.errors);
      return {};
    });
  }

  void judge() {
    outcome_.events = results_.front().events;
    outcome_.events_as_analysed = outcome_.events == analysed_events(outcome_.analysis, outcome_.events);
    outcome_.generated = results_.front().generated;
    outcome_.layers = of_layers(errors_.front(), outcome_.analysis);
    std::int64_t depth = 0;
    for (const auto& list : errors_) depth = std::max(depth, static_cast<std::int64_t>(list.size()));
    bool right = true;
    for (const RankResult<Real>& result : results_) right &= judge_logits(result.logits, depth);
    outcome_.verdict = right ? Verdict::right : Verdict::wrong;
    if (!right) outcome_.first_divergent = first_outside(errors_);
  }

  // Whether a rank's logits are the unsharded model's; keeps the largest error.
  bool judge_logits(const Tensor<Real>& logits, std::int64_t depth) {
    const auto error = error_of<Real>(logits, whole_.logits, 0, {});
    if (!error) return false;
    outcome_.band =
        rounding_band(epsilon_of(request_), longest_reduction(*request_.model), depth, error->reference_rms);
    std::optional<ErrorSize>& worst = outcome_.sharded_vs_unsharded;
    if (!worst || error->max_abs > worst->max_abs) worst = error;
    return error->finite && error->max_abs <= outcome_.band;
  }

  const RunRequest& request_;
  const RankLauncher& launch_;
  std::vector<Recorded> unsharded_, sharded_;
  Reference<Real> reference_{true};
  RankResult<Real> whole_;
  std::vector<RankResult<Real>> results_;         // by rank
  std::vector<std::vector<ModuleError>> errors_;  // by rank
  RunOutcome outcome_;
};

}  // namespace

Result<RunOutcome> run_plan(const RunRequest& request, const RankLauncher& launch) {
  return request.float64 ? PlanRun<double>(request, launch).run() : PlanRun<float>(request, launch).run();
}

}  // namespace tpsim::exec
