#include "sim/training/training_time.h"

#include <algorithm>
#include <cmath>

#include "core/dtype.h"
#include "sim/training/backward_kernels.h"
#include "sim/training/training_memory.h"

namespace tpsim {
namespace {

// Adam in mixed precision, per parameter: reads gradient, master copy and two moments, writes the last three and the
// 16-bit weight; the gradients are also read for their norm and set to zero.
double optimizer_bytes(const TrainingSetup& setup) {
  constexpr double master = 4, weight = 2;
  const double gradient = element_bits(setup.gradients) / 8.0, moment = element_bits(setup.optimizer) / 8.0;
  return 3 * gradient + 2 * master + 4 * moment + weight;
}

// Cross-entropy in fp32: logits in, their fp32 copy, the softmax kept, the gradient out.
constexpr double kLossBytesPerLogit = 2 + 4 + 4 + 4 + 4 + 2;

// Attention without a fused kernel moves the scores between its steps: forward the product writes them, softmax and
// dropout each read and write them, the second product reads them; backward three tensors of their size at each of
// these steps.
constexpr double kScorePassesForward = 6, kScorePassesBackward = 9;

constexpr double kLaunchOverlap = 4;

// Sum of estimates, in us.
struct Sum {
  double us = 0, band = 0, weak = 0;
  std::int64_t kernels = 0;
  void add(const Estimate& e, double times = 1) {
    us += e.us * times;
    band += e.us * times * e.band;
    if (e.source == NumberSource::spec || e.source == NumberSource::transferred) weak += e.us * times;
    ++kernels;
  }
  void add(const Sum& o, double times = 1) {
    us += o.us * times;
    band += o.band * times;
    weak += o.weak * times;
    kernels += static_cast<std::int64_t>(static_cast<double>(o.kernels) * times);
  }
};

// One pass of one trace.
struct TraceTimes {
  Sum forward, backward, recomputed;
  Sum forward_communication, backward_communication;
};

Estimate moved(Predictor& predictor, const Analysis& a, double bytes) {
  return predictor.kernel(moving_kernel(a.workload.activations, std::llround(bytes)));
}

class StepTimes {
public:
  StepTimes(const Analysis& a, Predictor& predictor, const TrainingSetup& setup)
      : a_(a), predictor_(predictor), setup_(setup), load_(load_of(a.workload)), precision_(predictor.precision(a)) {}

  TraceTimes of(std::size_t trace) {
    const Trace& t = a_.traces[trace];
    TraceTimes times;
    list_kernels(t, {a_.workload, load_, precision_, a_.parallelism.ep, false, is_head(trace)}, list_);
    for (const Kernel& kernel : list_.kernels) add(kernel.call, times);
    for (const CollectiveEvent& e : t.train_forward) times.forward_communication.add(collective(e));
    for (const CollectiveEvent& e : t.backward) times.backward_communication.add(collective(e));
    add_gathered_again(t, times);
    if (setup_.saved.recompute == Recompute::full && !is_end(trace)) {
      times.recomputed = times.forward;
      times.backward_communication.add(times.forward_communication);
    }
    return times;
  }

private:
  bool is_end(std::size_t trace) const {
    return std::any_of(a_.steps.begin(), a_.steps.end(),
                       [&](const Step& s) { return static_cast<std::size_t>(s.trace) == trace && s.prefix.empty(); });
  }
  bool is_head(std::size_t trace) const {
    return !a_.steps.empty() && static_cast<std::size_t>(a_.steps.back().trace) == trace && is_end(trace);
  }

  Estimate collective(const CollectiveEvent& e) {
    return predictor_.collective(e.op, static_cast<double>(e.payload_bytes), e.group).time;
  }

  // A tensor that was gathered from shards of the sequence is not kept: its weights' gradients need it again.
  void add_gathered_again(const Trace& t, TraceTimes& times) {
    for (const CollectiveEvent& e : t.train_forward) {
      const bool scattered_back = std::any_of(t.backward.begin(), t.backward.end(), [&](const CollectiveEvent& b) {
        return b.op == CollectiveOp::reduce_scatter && b.module == e.module;
      });
      if (e.op == CollectiveOp::all_gather && scattered_back) times.backward_communication.add(collective(e));
    }
  }

  void add(const KernelCall& call, TraceTimes& times) {
    times.forward.add(predictor_.kernel(call));
    const BackwardKernels backward = backward_of(call);
    for (int i = 0; i < backward.count; ++i)
      times.backward.add(predictor_.kernel(backward.parts[i].call), backward.parts[i].times);
    const bool attends = call.kind == KernelKind::attention || call.kind == KernelKind::latent_attention;
    if (!attends) return;
    const bool again = setup_.saved.recompute == Recompute::selective;
    if (again) times.recomputed.add(predictor_.kernel(call));
    if (setup_.saved.flash_attention) return;
    times.forward.add(scores(call, kScorePassesForward));
    times.backward.add(scores(call, kScorePassesBackward));
    if (again) times.recomputed.add(scores(call, kScorePassesForward));
  }

  Estimate scores(const KernelCall& call, double passes) {
    const double elements =
        static_cast<double>(call.sequences * call.heads) * static_cast<double>(call.query * call.context);
    return moved(predictor_, a_, passes * elements * element_bits(a_.workload.activations) / 8);
  }

  const Analysis& a_;
  Predictor& predictor_;
  const TrainingSetup& setup_;
  Load load_;
  Precision precision_;
  KernelList list_;
};

struct StageSum {
  Sum forward, backward, communication;

  void add(const TraceTimes& t) {
    forward.add(t.forward);
    forward.add(t.forward_communication);
    backward.add(t.backward);
    backward.add(t.recomputed);
    backward.add(t.backward_communication);
    communication.add(t.forward_communication);
    communication.add(t.backward_communication);
  }
};

struct PassSums {
  std::vector<StageSum> stages;
  StageSum layers;
  std::int64_t layer_count = 0;
};

std::int64_t logits_on_rank(const Analysis& a) {
  if (a.memory.empty()) return 0;
  return a.memory.front().logits * 8 / std::max<std::int64_t>(1, element_bits(a.workload.activations));
}

PassSums pass_sums(const Analysis& a, Predictor& predictor, const TrainingSetup& setup) {
  StepTimes times(a, predictor, setup);
  std::vector<TraceTimes> traces;
  for (std::size_t t = 0; t < a.traces.size(); ++t) traces.push_back(times.of(t));
  PassSums sums;
  sums.stages.resize(static_cast<std::size_t>(setup.pipeline));
  const std::vector<int> stage_of = stages_of_steps(a, setup.pipeline);
  for (std::size_t s = 0; s < a.steps.size(); ++s) {
    const TraceTimes& t = traces[static_cast<std::size_t>(a.steps[s].trace)];
    sums.stages[static_cast<std::size_t>(stage_of[s])].add(t);
    if (a.steps[s].prefix.empty()) continue;
    sums.layers.add(t);
    ++sums.layer_count;
  }
  const double loss = kLossBytesPerLogit * static_cast<double>(logits_on_rank(a));
  sums.stages.back().backward.add(moved(predictor, a, loss));
  return sums;
}

// Activations of a micro-batch to the next stage and their gradients back: both wait.
Seconds send_time(const Analysis& a, Predictor& predictor, const TrainingSetup& setup) {
  if (setup.pipeline < 2 || a.traces.empty()) return Seconds(0);
  std::int64_t bytes = 0;
  for (const Trace& t : a.traces)
    if (!t.operations.empty()) bytes = std::max(bytes, t.operations.front().output_bytes);
  const Estimate one = predictor.collective(CollectiveOp::send, static_cast<double>(bytes), 2).time;
  return Seconds(2e-6 * one.us);
}

Seconds seconds(double us) { return Seconds(us * 1e-6); }

StageTime stage_time(const StageSum& sum, const Stack& stack, Seconds send) {
  StageTime time;
  time.kernels = sum.forward.kernels + sum.backward.kernels;
  const auto launched = [&](const Sum& s) {
    return seconds(launched_us(s.us, stack.launch_us * static_cast<double>(s.kernels)));
  };
  time.forward = launched(sum.forward);
  time.backward = launched(sum.backward);
  time.communication = seconds(sum.communication.us);
  time.send = send;
  time.host = seconds(stack.step_us);
  return time;
}

// Every stage once, and the slowest for all micro-batches but the first (1F1B; with v chunks per device the first pass
// takes 1 / v of the time, Narayanan et al., arXiv 2104.04473, section 2.2).
Seconds pipelined(const std::vector<StageTime>& stages, const TrainingSetup& setup) {
  Seconds all{}, slowest{};
  for (const StageTime& s : stages) {
    all += s.total();
    slowest = std::max(slowest, s.total());
  }
  return slowest * static_cast<double>(setup.micro_batches) + (all - slowest) / setup.virtual_stages;
}

std::int64_t parameters_on_stage(const TrainingMemory& m, const Analysis& a, const TrainingSetup& setup) {
  const std::int64_t bytes = m.weights * (setup.zero == ZeroStage::weights ? setup.data_parallel : 1);
  return bytes * 8 / std::max<std::int64_t>(1, element_bits(a.workload.weights));
}

struct Update {
  Estimate gradients, optimizer;
};

// Gradients summed over the replicas; with ZeRO a reduce-scatter, and the updated weights gathered.
Update update_of(const Analysis& a, Predictor& predictor, const TrainingSetup& setup) {
  double parameters = 0;
  for (const TrainingMemory& m : training_memory(a, setup))
    parameters = std::max(parameters, static_cast<double>(parameters_on_stage(m, a, setup)));
  const int n = setup.data_parallel, stride = a.ranks();
  const bool shared = setup.zero != ZeroStage::none;
  Update u;
  if (n > 1) {
    const double weight = element_bits(a.workload.weights) / 8.0;
    const CollectiveOp sum = shared ? CollectiveOp::reduce_scatter : CollectiveOp::all_reduce;
    u.gradients = predictor.collective(sum, element_bits(setup.gradients) / 8.0 * parameters, n, stride).time;
    if (shared)
      u.gradients.us += predictor.collective(CollectiveOp::all_gather, weight * parameters, n, stride).time.us;
  }
  u.optimizer = moved(predictor, a, optimizer_bytes(setup) * parameters / (shared ? n : 1));
  return u;
}

double forward_flops(const Analysis& a) {
  double flops = 0;
  for (const Step& s : a.steps)
    for (const Operation& op : a.traces[static_cast<std::size_t>(s.trace)].operations) flops += op.flops;
  return flops;
}

}  // namespace

double launched_us(double busy_us, double launches_us) {
  if (!(launches_us > 0)) return busy_us;
  return std::pow(std::pow(busy_us, kLaunchOverlap) + std::pow(launches_us, kLaunchOverlap), 1 / kLaunchOverlap);
}

TrainingPrediction predict_training(const Analysis& a, Predictor& predictor, const TrainingSetup& setup) {
  TrainingPrediction p;
  const PassSums sums = pass_sums(a, predictor, setup);
  const Seconds send = send_time(a, predictor, setup);
  Sum whole;
  for (const StageSum& s : sums.stages) {
    p.stages.push_back(stage_time(s, predictor.stack(), send));
    whole.add(s.forward);
    whole.add(s.backward);
  }
  if (sums.layer_count > 0) {
    const StageTime layers = stage_time(sums.layers, predictor.stack(), Seconds(0));
    p.layer_forward = layers.forward / static_cast<double>(sums.layer_count);
    p.layer_backward = layers.backward / static_cast<double>(sums.layer_count);
  }
  const Seconds passes = pipelined(p.stages, setup);
  Seconds slowest{};
  for (const StageTime& s : p.stages) slowest = std::max(slowest, s.total());
  p.bubble = passes - slowest * static_cast<double>(setup.micro_batches);
  const Update update = update_of(a, predictor, setup);
  const Seconds hidden = setup.overlap_gradients ? slowest / 2 : Seconds(0);
  p.gradients = std::max(Seconds(0), seconds(update.gradients.us) - hidden);
  p.optimizer = seconds(update.optimizer.us);
  p.step = passes + p.gradients + p.optimizer;
  p.model_flops = 3 * forward_flops(a) * static_cast<double>(setup.micro_batches);
  p.hardware_flops = p.model_flops * (setup.saved.recompute == Recompute::full ? 4.0 / 3 : 1);
  p.source = whole.weak > 0.1 * whole.us ? NumberSource::transferred : NumberSource::calibrated;
  p.band = pass_band(whole.us > 0 ? whole.band / whole.us : 0.35, predictor.stack());
  p.low = p.step * std::exp(-p.band);
  p.high = p.step * std::exp(p.band);
  return p;
}

}  // namespace tpsim
