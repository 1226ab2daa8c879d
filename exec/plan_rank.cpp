#include "exec/plan_rank.h"

#include <algorithm>
#include <utility>

#include "exec/measure_rank.h"
#include "exec/rank_reports.h"
#include "exec/run_settings.h"
#include "exec/tensor_broadcast.h"
#include "exec/thread_ranks.h"

namespace tpsim::exec {
namespace {

// Real numbers are rounded, too, and in another order.
constexpr double kTwoRuns = 2;
constexpr std::int64_t kMostKept = std::int64_t{2} << 30;  // bytes of the unsharded model's tensors

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

// Real numbers are float32 at best.
double real_epsilon(const RunRequest& request) {
  RunRequest as_real = request;
  as_real.float64 = false;
  return epsilon_of(as_real);
}

template <class Real>
struct RankResult {
  Tensor<Real> logits;
  std::vector<ExecutedEvent> events;
  std::vector<std::vector<std::int64_t>> generated;
  std::vector<Tensor<Real>> steps;  // logits after each generated token
};

template <class Real>
Result<RankResult<Real>> run_rank(const RunRequest& request, const std::vector<Recorded>& passes,
                                  Communicator& communicator, RunObserver<Real>* observer) {
  RankRun<Real> rank(*request.model, *request.weights, communicator, rounding_of(request.dtype), request.threads);
  auto logits = rank.forward(passes.front(), make_ids<Real>(request.ids_shape, request.ids), 0, observer);
  if (!logits) return logits.error();
  RankResult<Real> result{*logits, rank.events(), {}, {}};
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
    result.steps.push_back(last);
  }
  return result;
}

// The first module in order of execution, on any rank, that left its band.
std::optional<ModuleError> first_outside(const std::vector<std::vector<ModuleError>>& by_rank) {
  for (std::size_t i = 0; i < by_rank.front().size(); ++i)
    for (const auto& errors : by_rank)
      if (!errors[i].inside) return errors[i];
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
class PlanRank {
public:
  PlanRank(const RunRequest& request, const PlanPasses& passes, Communicator& communicator)
      : request_(request), passes_(passes), communicator_(communicator) {
    outcome_.analysis = passes.sharded.front().analysis;
  }

  Result<RunOutcome> run() {
    if (first()) {
      if (auto done = run_unsharded(); !done) return done.error();
    }
    if (outcome_.analysis.verdict == Verdict::error) {
      outcome_.verdict = Verdict::error;
      return std::move(outcome_);
    }
    if (auto done = run_sharded(); !done) return done.error();
    return std::move(outcome_);
  }

private:
  bool first() const { return communicator_.rank() == 0; }

  Result<void> run_unsharded() {
    reference_ = Reference<Real>(bytes_of_outputs(passes_.unsharded.front(), sizeof(Real)) < kMostKept);
    const auto done = run_on_threads(1, [&](Communicator& alone) -> Result<void> {
      auto result = run_rank<Real>(request_, passes_.unsharded, alone, &reference_);
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
    if (static_cast<std::size_t>(logits.numel()) != request_.reference_logits.size())
      return input_error("the reference logits are not of the shape " + to_string(logits.shape) +
                         " that the model gives");
    std::copy(request_.reference_logits.begin(), request_.reference_logits.end(), logits.data());
    outcome_.unsharded_vs_reference = error_of<Real>(whole_.logits, logits, 0, {});
    const ErrorSize& error = *outcome_.unsharded_vs_reference;
    outcome_.reference_band = kTwoRuns * rounding_band(real_epsilon(request_), longest_reduction(*request_.model),
                                                       reference_.depth(), error.reference_rms);
    outcome_.reference_inside = is_within(error, outcome_.reference_band);
    return {};
  }

  Result<void> run_sharded() {
    Comparison<Real> comparison(communicator_, first() ? &reference_ : nullptr, epsilon_of(request_),
                                longest_reduction(*request_.model));
    auto mine = run_rank<Real>(request_, passes_.sharded, communicator_, &comparison);
    if (!mine) return mine.error();
    if (comparison.failure()) return *comparison.failure();
    const auto whole = broadcast_tensor<Real>(communicator_, first() ? &whole_.logits : nullptr, 0);
    if (!whole) return whole.error();
    std::vector<ModuleError> found = std::move(comparison.errors);
    if (auto done = compare_steps(comparison, *mine, **whole, found); !done) return done;
    found.push_back(comparison.judged("logits", mine->logits, **whole));
    auto by_rank = gather_errors(communicator_, found);
    if (!by_rank) return by_rank.error();
    outcome_.events = std::move(mine->events);
    outcome_.events_as_analysed =
        outcome_.events == analysed_events(outcome_.analysis, EventList::forward, outcome_.events);
    outcome_.generated = std::move(mine->generated);
    judge(*by_rank);
    return measured();
  }

  // Steps of decoding, as long as both runs have chosen the same tokens.
  Result<void> compare_steps(const Comparison<Real>& comparison, const RankResult<Real>& mine, Tensor<Real> whole,
                             std::vector<ModuleError>& found) {
    bool same = true;
    for (std::size_t i = 0; i < mine.steps.size(); ++i) {
      same = same && best_tokens(i == 0 ? mine.logits : mine.steps[i - 1]) == best_tokens(whole);
      const auto next = broadcast_tensor<Real>(communicator_, first() ? &whole_.steps[i] : nullptr, 0);
      if (!next) return next.error();
      whole = **next;
      const std::string name = "logits after token " + std::to_string(i + 1);
      found.push_back(same ? comparison.judged(name, mine.steps[i], whole) : ModuleError{name, {}, 0, true});
    }
    return {};
  }

  Result<void> measured() {
    if (request_.iterations == 0) return {};
    RankRun<Real> rank(*request_.model, *request_.weights, communicator_, rounding_of(request_.dtype),
                       request_.threads);
    auto measurement =
        measure<Real>(rank, communicator_, passes_.sharded, make_ids<Real>(request_.ids_shape, request_.ids),
                      {request_.warmup, request_.iterations});
    if (!measurement) return measurement.error();
    outcome_.measurement = *std::move(measurement);
    return {};
  }

  void judge(std::vector<std::vector<ModuleError>>& by_rank) {
    bool right = true;
    for (auto& errors : by_rank) {
      const ModuleError logits = std::move(errors.back());
      errors.pop_back();
      const auto steps = errors.end() - std::max(0, request_.generate - 1);
      right &= logits.inside && std::all_of(steps, errors.end(), [](const auto& step) { return step.inside; });
      keep_worst(logits);
    }
    outcome_.layers = of_layers(by_rank.front(), outcome_.analysis);
    outcome_.verdict = right ? Verdict::right : Verdict::wrong;
    if (!right) outcome_.first_divergent = first_outside(by_rank);
  }

  void keep_worst(const ModuleError& logits) {
    if (!logits.error) return;
    outcome_.band = logits.band;
    std::optional<ErrorSize>& worst = outcome_.sharded_vs_unsharded;
    if (!worst || logits.error->max_abs > worst->max_abs) worst = logits.error;
  }

  const RunRequest& request_;
  const PlanPasses& passes_;
  Communicator& communicator_;
  Reference<Real> reference_{true};  // of rank 0
  RankResult<Real> whole_;           // of rank 0
  RunOutcome outcome_;
};

}  // namespace

Result<RunOutcome> run_plan_rank(const RunRequest& request, const PlanPasses& passes, Communicator& communicator) {
  return request.float64 ? PlanRank<double>(request, passes, communicator).run()
                         : PlanRank<float>(request, passes, communicator).run();
}

}  // namespace tpsim::exec
