#include "exec/training_rank.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "exec/backward_run.h"
#include "exec/kernels/elementwise.h"
#include "exec/rank_reports.h"
#include "exec/run_settings.h"
#include "exec/tensor_broadcast.h"
#include "exec/thread_ranks.h"

namespace tpsim::exec {
namespace {

template <class Real>
struct StepResult {
  Tensor<Real> logits;
  double loss = 0;
  ParameterGradients<Real> gradients;
  std::vector<ExecutedEvent> forward, backward;
};

template <class Real>
Result<StepResult<Real>> run_step(const RunRequest& request, const Recorded& pass, Communicator& communicator) {
  RankRun<Real> rank(*request.model, *request.weights, communicator, rounding_of(request.dtype), request.threads);
  Tape<Real> tape;
  auto logits = rank.forward(pass, make_ids<Real>(request.ids_shape, request.ids), 0, nullptr, &tape);
  if (!logits) return logits.error();
  StepResult<Real> result;
  result.logits = *std::move(logits);
  result.forward = std::exchange(rank.events(), {});
  const auto count = static_cast<double>(std::max<std::int64_t>(1, result.logits.numel()));
  for (std::int64_t i = 0; i < result.logits.numel(); ++i)
    result.loss += std::pow(static_cast<double>(result.logits.data()[i]), 2) / count;
  auto gradients = run_backward(rank, *request.model, pass, tape, scaled(result.logits, 2 / count));
  if (!gradients) return gradients.error();
  result.gradients = *std::move(gradients);
  result.backward = rank.events();
  return result;
}

// Parameters in the order in which a pass uses them, ties resolved.
std::vector<std::string> parameters_of(const Model& model, const Recorded& pass) {
  std::vector<std::string> names;
  for (const Step& step : pass.analysis.steps)
    for (const RecordedOp& op : pass.recording.traces[static_cast<std::size_t>(step.trace)].code) {
      if (op.primitive != Primitive::parameter) continue;
      std::string name = full_path(step.prefix, op.text);
      for (const auto& [first, second] : model.ties)
        if (first == name) name = second;
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
    }
  return names;
}

std::int64_t operations_of(const Recorded& pass) {
  std::int64_t operations = 0;
  for (const Step& step : pass.analysis.steps)
    operations += std::ssize(pass.recording.traces[static_cast<std::size_t>(step.trace)].code);
  return operations;
}

GradientError gradient_error(const ModuleError& e) { return {e.module, e.error, e.band, e.inside}; }

template <class Real>
double mean_square(const Tensor<Real>& x) {
  double sum = 0;
  for (std::int64_t i = 0; i < x.numel(); ++i) sum += std::pow(static_cast<double>(x.data()[i]), 2);
  return sum / static_cast<double>(std::max<std::int64_t>(1, x.numel()));
}

template <class Real>
class TrainingRank {
public:
  TrainingRank(const RunRequest& request, const PlanPasses& passes, Communicator& communicator)
      : request_(request), passes_(passes), communicator_(communicator) {
    outcome_.analysis = passes.sharded.front().analysis;
    outcome_.training.emplace();
    training().memory_bytes = training_bytes(passes, request);
    reduction_ = std::max(longest_reduction(*request.model), request.ids_shape.numel());
    depth_ = 2 * operations_of(passes.unsharded.front());
  }

  Result<RunOutcome> run() {
    if (first()) {
      if (auto done = run_unsharded(); !done) return done.error();
    }
    if (outcome_.analysis.verdict == Verdict::error) {
      outcome_.verdict = Verdict::error;
      return std::move(outcome_);
    }
    auto mine = run_step<Real>(request_, passes_.sharded.front(), communicator_);
    if (!mine) return mine.error();
    if (auto done = compare(*mine); !done) return done.error();
    note_events(*mine);
    return std::move(outcome_);
  }

private:
  bool first() const { return communicator_.rank() == 0; }
  TrainingOutcome& training() { return *outcome_.training; }

  Result<void> run_unsharded() {
    const auto done = run_on_threads(1, [&](Communicator& alone) -> Result<void> {
      auto result = run_step<Real>(request_, passes_.unsharded.front(), alone);
      if (!result) return result.error();
      whole_ = *std::move(result);
      return {};
    });
    if (!done) return done;
    training().unsharded_loss = whole_.loss;
    for (const auto& [name, gradient] : whole_.gradients) scale_ = std::max(scale_, std::sqrt(mean_square(gradient)));
    return compare_with_real_gradients();
  }

  Result<void> compare_with_real_gradients() {
    for (const std::string& name : parameters_of(*request_.model, passes_.unsharded.front())) {
      const auto real = request_.reference_gradients.find(name);
      const auto own = whole_.gradients.find(name);
      if (real == request_.reference_gradients.end()) continue;
      ModuleError found;
      found.module = name;
      if (own != whole_.gradients.end()) {
        Tensor<Real> reference = make_tensor<Real>(own->second.shape);
        if (reference.numel() != std::ssize(real->second))
          return input_error("the real gradient has " + std::to_string(real->second.size()) +
                                 " numbers where the parameter is " + to_string(reference.shape),
                             name);
        std::copy(real->second.begin(), real->second.end(), reference.data());
        found = judged(name, own->second, reference, -1, {});
      }
      training().unsharded_vs_reference.push_back(gradient_error(found));
    }
    if (const auto loss = request_.reference_gradients.find("loss");
        loss != request_.reference_gradients.end() && !loss->second.empty())
      training().reference_loss = loss->second.front();
    return {};
  }

  // Rounding of a sum is as large as what it adds up: a gradient whose terms cancel is judged by the largest one's
  // size, a thousandth of it.
  ModuleError judged(const std::string& name, const Tensor<Real>& own, const Tensor<Real>& whole, int dim,
                     const std::vector<Range>& ranges) const {
    ModuleError result;
    result.module = name;
    result.error = own.numel() == 0 && whole.numel() > 0 && ranges.empty() && dim >= 0
                       ? std::optional<ErrorSize>(ErrorSize{})
                       : error_of(own, whole, dim, ranges);
    if (result.error) {
      const double size = std::max(std::sqrt(mean_square(whole)), kSmallShare * scale_);
      result.band = rounding_band(epsilon_of(request_), reduction_, depth_, size);
    }
    result.inside = is_within(result.error, result.band);
    return result;
  }

  Result<void> compare(const StepResult<Real>& mine) {
    std::array<double, 1> scale{scale_};
    if (auto done = communicator_.broadcast({scale.data(), 1, Scalar::float64}, 0); !done) return done;
    scale_ = scale[0];
    const auto whole = broadcast_tensor<Real>(communicator_, first() ? &whole_.logits : nullptr, 0);
    if (!whole) return whole.error();
    std::vector<ModuleError> found{judged_logits(mine.logits, **whole)};
    for (const std::string& name : parameters_of(*request_.model, passes_.unsharded.front())) {
      const auto known = whole_.gradients.find(name);
      const auto gradient = broadcast_tensor<Real>(
          communicator_, first() && known != whole_.gradients.end() ? &known->second : nullptr, 0);
      if (!gradient) return gradient.error();
      if (!*gradient) continue;
      auto one = compare_parameter(name, mine, **gradient);
      if (!one) return one.error();
      found.push_back(*std::move(one));
    }
    auto by_rank = gather_errors(communicator_, found);
    if (!by_rank) return by_rank.error();
    judge(*by_rank);
    return {};
  }

  ModuleError judged_logits(const Tensor<Real>& logits, const Tensor<Real>& whole) const {
    ModuleError result;
    result.module = "logits";
    result.error = error_of<Real>(logits, whole, 0, {});
    if (result.error)
      result.band = rounding_band(epsilon_of(request_), reduction_, depth_, result.error->reference_rms);
    result.inside = is_within(result.error, result.band);
    return result;
  }

  Result<ModuleError> compare_parameter(const std::string& name, const StepResult<Real>& mine,
                                        const Tensor<Real>& whole) const {
    auto piece = piece_of(*request_.model, outcome_.analysis, name, communicator_.rank());
    if (!piece) return piece.error();
    const auto own = mine.gradients.find(name);
    if (own != mine.gradients.end()) return judged(name, own->second, whole, piece->dim, piece->ranges);
    return judged(name, make_tensor<Real>(piece->local()), whole, piece->dim, piece->ranges);
  }

  // The worst rank's figures count.
  void judge(const std::vector<std::vector<ModuleError>>& by_rank) {
    for (std::size_t i = 0; i < by_rank.front().size(); ++i) {
      const auto worse = [i](const auto& a, const auto& b) { return badness(a[i]) < badness(b[i]); };
      const ModuleError worst = (*std::max_element(by_rank.begin(), by_rank.end(), worse))[i];
      if (!worst.inside) outcome_.verdict = Verdict::wrong;
      if (i > 0) {
        training().gradients.push_back(gradient_error(worst));
        continue;
      }
      outcome_.sharded_vs_unsharded = worst.error;
      outcome_.band = worst.band;
    }
    // The way back starts at the end of the model.
    const auto& all = training().gradients;
    const auto divergent = std::find_if(all.rbegin(), all.rend(), [](const auto& g) { return !g.inside; });
    if (divergent != all.rend()) training().first_divergent = *divergent;
  }

  static double badness(const ModuleError& e) {
    if (!e.error || !e.error->finite) return HUGE_VAL;
    return e.band > 0 ? e.error->max_abs / e.band : e.error->max_abs;
  }

  void note_events(StepResult<Real>& mine) {
    const Analysis& analysis = outcome_.analysis;
    training().loss = mine.loss;
    outcome_.events = std::move(mine.forward);
    outcome_.events_as_analysed =
        outcome_.events == analysed_events(analysis, EventList::train_forward, outcome_.events);
    training().backward = std::move(mine.backward);
    training().backward_as_analysed =
        training().backward == analysed_events(analysis, EventList::backward, training().backward);
  }

  static constexpr double kSmallShare = 1e-3;

  const RunRequest& request_;
  const PlanPasses& passes_;
  Communicator& communicator_;
  StepResult<Real> whole_;  // of rank 0
  double scale_ = 0;        // of the unsharded model's largest gradient
  std::int64_t reduction_ = 1, depth_ = 1;
  RunOutcome outcome_;
};

}  // namespace

Result<RunOutcome> train_plan_rank(const RunRequest& request, const PlanPasses& passes, Communicator& communicator) {
  return request.float64 ? TrainingRank<double>(request, passes, communicator).run()
                         : TrainingRank<float>(request, passes, communicator).run();
}

}  // namespace tpsim::exec
