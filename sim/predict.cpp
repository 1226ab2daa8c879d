#include "sim/predict.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "sim/kernel_time.h"
#include "sim/network/collectives.h"

namespace tpsim {
namespace {

struct Passes {
  std::int64_t count = 0;
  bool norm_follows = false;
  bool is_head = false;
};

bool begins_with_norm(const Trace& trace) {
  return !trace.operations.empty() && trace.operations.front().kind == OperationKind::norm;
}

const Trace& trace_at(const Analysis& analysis, int trace) { return analysis.traces[static_cast<std::size_t>(trace)]; }

bool has_product(const Trace& trace) {
  return std::any_of(trace.operations.begin(), trace.operations.end(),
                     [](const Operation& op) { return op.kind == OperationKind::gemm; });
}

// How often each trace runs, and whether a norm comes after it (every time). The head: the last step, where others with
// products come before it.
void count_passes(const Analysis& analysis, std::vector<Passes>& passes) {
  passes.assign(analysis.traces.size(), {});
  for (std::size_t s = 0; s < analysis.steps.size(); ++s) {
    Passes& p = passes[static_cast<std::size_t>(analysis.steps[s].trace)];
    const bool last = s + 1 == analysis.steps.size();
    const bool norm = !last && begins_with_norm(trace_at(analysis, analysis.steps[s + 1].trace));
    p.norm_follows = norm && (p.count == 0 || p.norm_follows);
    ++p.count;
    p.is_head = last && s > 0 && p.count == 1 && analysis.steps[s].prefix.empty() &&
                has_product(trace_at(analysis, analysis.steps[s].trace));
  }
}

TimePart part_of(const KernelCall& call) {
  switch (call.kind) {
    case KernelKind::gemm:
    case KernelKind::batched_gemm: return TimePart::gemm;
    case KernelKind::experts: return TimePart::experts;
    case KernelKind::attention:
    case KernelKind::latent_attention: return call.query > 1 ? TimePart::prompt_attention : TimePart::attention;
    case KernelKind::norm:
    case KernelKind::rope:
    case KernelKind::activation:
    case KernelKind::addition:
    case KernelKind::embedding:
    case KernelKind::routing:
    case KernelKind::copy: break;
  }
  return TimePart::small;
}

// Rows at which reading weights and computing take as long as each other, about that of every GPU since 2020.
constexpr double kRidgeRows = 256;

// The same for rows of one expert: kernels of experts pad their tiles and are far from either limit.
constexpr double kRidgeRowsOfExpert = 32;

// Share of the time of a product, or of experts, that goes with wide ones: continuous, half at the ridge.
double wide_share(const KernelCall& call) {
  const double rows = static_cast<double>(call.rows);
  if (part_of(call) == TimePart::gemm) return rows / (rows + kRidgeRows);
  if (part_of(call) != TimePart::experts || call.all_experts <= 0) return 0;
  const double each = rows * static_cast<double>(call.topk) / static_cast<double>(call.all_experts);
  return each / (each + kRidgeRowsOfExpert);
}

TimePart wide_part(TimePart part) { return part == TimePart::experts ? TimePart::wide_experts : TimePart::wide_gemm; }

// Factor of the stack on a part.
double stack_factor(const Stack& stack, TimePart part) {
  switch (part) {
    case TimePart::gemm: return stack.gemm_factor;
    case TimePart::wide_gemm: return stack.wide_gemm_factor;
    case TimePart::attention: return stack.attention_factor;
    case TimePart::prompt_attention: return stack.prompt_attention_factor;
    case TimePart::experts: return stack.experts_factor;
    case TimePart::wide_experts: return stack.wide_experts_factor;
    case TimePart::small: return stack.small_factor;
    case TimePart::collective: return stack.collective_factor;
  }
  return 1;
}

double stack_factor(const Stack& stack, const KernelCall& call) {
  const TimePart part = part_of(call);
  const double own = stack_factor(stack, part);
  const double wide = wide_share(call);
  return wide > 0 ? own + wide * (stack_factor(stack, wide_part(part)) - own) : own;
}

// What the time of a collective depends on inside one Predictor.
struct CollectiveKey {
  CollectiveOp op = CollectiveOp::all_reduce;
  std::int64_t bytes = 0;
  int ranks = 1;
  int stride = 1;
  bool operator==(const CollectiveKey&) const = default;
};

struct CollectiveHash {
  std::size_t operator()(const CollectiveKey& c) const {
    const auto mixed = static_cast<std::uint64_t>(c.bytes) * 64 + static_cast<std::uint64_t>(c.op) * 8;
    return static_cast<std::size_t>(
        (mixed ^ static_cast<std::uint64_t>(c.ranks * 1024 + c.stride)) * 0x9E3779B97F4A7C15u >> 7);
  }
};

// Sums of a pass as they grow. Errors of one family go together, those of different families do not: bands add within a
// source's share and in squares between shares.
struct Sums {
  double compute_us = 0, communication_us = 0;
  double compute_band = 0, communication_band = 0;  // us
  double by_source[4] = {};
  std::array<double, kTimeParts> by_part{};
  std::int64_t kernels = 0;

  double& part(TimePart p) { return by_part[static_cast<std::size_t>(p)]; }

  void add(const Estimate& e, double count, const KernelCall& call) {
    const double us = e.us * count, wide = us * wide_share(call);
    part(part_of(call)) += us - wide;
    part(wide_part(part_of(call))) += wide;
    add(e, count, false);
  }
  void add_collective(const Estimate& e, double count) {
    part(TimePart::collective) += e.us * count;
    add(e, count, true);
  }
  void add(const Estimate& e, double count, bool communicates) {
    const double us = e.us * count;
    (communicates ? communication_us : compute_us) += us;
    (communicates ? communication_band : compute_band) += us * e.band;
    by_source[static_cast<std::size_t>(e.source)] += us;
    kernels += static_cast<std::int64_t>(count);
  }

  NumberSource source() const {
    const double total = compute_us + communication_us;
    for (const auto source : {NumberSource::spec, NumberSource::transferred, NumberSource::calibrated})
      if (by_source[static_cast<std::size_t>(source)] > 0.1 * total) return source;
    return total > 0 ? NumberSource::measured : NumberSource::spec;
  }
};

double host_us(const Stack& stack, const Load& load, int ranks, bool prompts) {
  double sequences = 0;
  for (const AttentionGroup& group : load.groups) sequences += static_cast<double>(group.sequences);
  const double fixed = stack.step_us + (prompts ? stack.prefill_us : 0);
  return fixed + stack.sequence_us * sequences + stack.rank_us * std::log2(std::max(ranks, 1));
}

bool has_prompts(const Load& load) {
  return std::any_of(load.groups.begin(), load.groups.end(), [](const AttentionGroup& g) { return g.query > 1; });
}

}  // namespace

struct Predictor::State {
  State(Hardware of, PredictOptions how) : hardware(std::move(of)), options(std::move(how)), times(hardware) {}

  Hardware hardware;
  PredictOptions options;
  KernelTimes times;
  std::unordered_map<KernelCall, Estimate, KernelHash> kernels;
  std::unordered_map<CollectiveKey, CollectiveEstimate, CollectiveHash> collectives;
  KernelList list;
  std::vector<Passes> counted;
  Load own_load;

  const Estimate& time_of(const KernelCall& call) {
    const auto [it, fresh] = kernels.try_emplace(call);
    if (fresh) {
      it->second = times.time(call);
      it->second.us *= stack_factor(options.stack, call);
    }
    return it->second;
  }

  const CollectiveEstimate& time_of(const CollectiveKey& key) {
    const auto [it, fresh] = collectives.try_emplace(key);
    if (!fresh) return it->second;
    const int per_node = std::max(hardware.devices_per_node, 1);
    CollectiveShape shape;
    shape.op = key.op;
    shape.bytes = static_cast<double>(key.bytes);
    shape.ranks = key.ranks;
    shape.nodes = std::min(key.ranks, (key.ranks * key.stride + per_node - 1) / per_node);
    shape.stack = parse_collective_stack(options.stack.all_reduce).value_or(CollectiveStack::fastest);
    shape.eager = options.stack.launch_us > 0;
    it->second = collective_time(shape, times.network());
    it->second.time.us *= stack_factor(options.stack, TimePart::collective);
    return it->second;
  }

  const Load& load_of_analysis(const Workload& w) {
    own_load.rows = w.batch * w.tokens;
    own_load.head_rows = w.all_logits ? own_load.rows : w.batch;
    own_load.groups.assign(1, {w.batch, w.tokens, w.past + w.tokens});
    return own_load;
  }

  // Adds every kernel and collective to the sums, and to the lists of `p` if given.
  Sums add_up(const Analysis& analysis, const Load& load, Prediction* p);
  void add_kernels(const Analysis& analysis, const Load& load, int trace, const Passes& passes, Sums& sums,
                   Prediction* p);
  void add_collectives(const Analysis& analysis, const Load& load, int trace, const Passes& passes, Sums& sums,
                       Prediction* p);
  void list_operations(const Trace& trace, int index, const Passes& passes, Prediction& p);
  double total_us(const Analysis& analysis, const Load& load, const Sums& sums) const;
  void fill(const Analysis& analysis, const Load& load, const Sums& sums, Prediction& p) const;
};

namespace {

double weight_of(const Operation& op) {
  if (op.kind == OperationKind::gemm) return static_cast<double>(op.n);
  return static_cast<double>(op.weight_bytes) + static_cast<double>(op.input_bytes) +
         static_cast<double>(op.output_bytes);
}

}  // namespace

void Predictor::State::list_operations(const Trace& trace, int index, const Passes& passes, Prediction& p) {
  std::vector<double> weights(list.kernels.size(), 0);
  for (std::size_t i = 0; i < trace.operations.size(); ++i)
    if (list.kernel_of[i] >= 0) weights[static_cast<std::size_t>(list.kernel_of[i])] += weight_of(trace.operations[i]);
  for (std::size_t i = 0; i < trace.operations.size(); ++i) {
    OperationTime time;
    time.trace = index;
    time.index = static_cast<int>(i);
    time.count = passes.count;
    if (list.kernel_of[i] >= 0) {
      const auto k = static_cast<std::size_t>(list.kernel_of[i]);
      const bool leads = list.kernels[k].first == static_cast<int>(i);
      time.call = list.kernels[k].call;
      time.kernel = time_of(time.call);
      // Further kernels of the same operation: attention of each group.
      double us = time.kernel.us;
      for (std::size_t other = k + 1; leads && other < list.kernels.size() && list.kernels[other].first == time.index;
           ++other)
        us += time_of(list.kernels[other].call).us;
      const double share = weights[k] > 0 ? weight_of(trace.operations[i]) / weights[k] : leads ? 1 : 0;
      time.time = Seconds(us * share * 1e-6);
    }
    p.operations.push_back(time);
  }
}

void Predictor::State::add_kernels(const Analysis& analysis, const Load& load, int trace, const Passes& passes,
                                   Sums& sums, Prediction* p) {
  const Trace& t = trace_at(analysis, trace);
  const Precision precision = options.precision.value_or(precision_of(analysis.workload));
  list_kernels(t,
               {analysis.workload, load, precision, analysis.parallelism.ep, passes.norm_follows, passes.is_head,
                options.stack.fuses},
               list);
  for (const Kernel& kernel : list.kernels)
    sums.add(time_of(kernel.call), static_cast<double>(passes.count), kernel.call);
  if (p != nullptr) list_operations(t, trace, passes, *p);
}

void Predictor::State::add_collectives(const Analysis& analysis, const Load& load, int trace, const Passes& passes,
                                       Sums& sums, Prediction* p) {
  const Trace& t = trace_at(analysis, trace);
  const Workload& w = analysis.workload;
  const double known = static_cast<double>(passes.is_head && !w.all_logits ? w.batch : w.batch * w.tokens);
  const double rows = static_cast<double>(passes.is_head ? load.head_rows : load.rows);
  const double scale = known > 0 ? rows / known : 1;
  for (std::size_t i = 0; i < t.forward.size(); ++i) {
    const CollectiveEvent& event = t.forward[i];
    const double bytes = static_cast<double>(event.payload_bytes) * scale;
    const CollectiveEstimate& cost = time_of(CollectiveKey{event.op, std::llround(bytes), event.group});
    sums.add_collective(cost.time, static_cast<double>(passes.count));
    if (p == nullptr) continue;
    CollectiveTime time;
    time.trace = trace;
    time.index = static_cast<int>(i);
    time.count = passes.count;
    time.estimate = cost.time;
    time.time = Seconds(cost.time.us * 1e-6);
    time.algorithm = algorithm_name(cost);
    time.algbw = time.time.count() > 0 ? bytes / time.time.count() : 0;
    time.busbw = time.algbw * bus_factor(event.op, event.group);
    p->collectives.push_back(time);
  }
}

Sums Predictor::State::add_up(const Analysis& analysis, const Load& load, Prediction* p) {
  Sums sums;
  count_passes(analysis, counted);
  for (std::size_t t = 0; t < counted.size(); ++t) {
    if (counted[t].count == 0) continue;
    add_kernels(analysis, load, static_cast<int>(t), counted[t], sums, p);
    add_collectives(analysis, load, static_cast<int>(t), counted[t], sums, p);
  }
  if (load.extra_all_reduces > 0) {
    const CollectiveKey extra{CollectiveOp::all_reduce, load.extra_bytes, analysis.parallelism.tp};
    sums.add_collective(time_of(extra).time, load.extra_all_reduces);
  }
  return sums;
}

double Predictor::State::total_us(const Analysis& analysis, const Load& load, const Sums& sums) const {
  const Stack& stack = options.stack;
  const bool prompts = has_prompts(load);
  const bool eager = stack.launch_us > 0 && (!prompts || !stack.graphs_in_prefill);
  double busy = sums.compute_us + sums.communication_us;
  if (eager) busy = std::max(busy, stack.launch_us * static_cast<double>(sums.kernels));
  busy += stack.operation_us * static_cast<double>(sums.kernels);
  return busy + host_us(stack, load, analysis.ranks(), prompts);
}

void Predictor::State::fill(const Analysis& analysis, const Load& load, const Sums& sums, Prediction& p) const {
  const double total = total_us(analysis, load, sums);
  p.compute = Seconds(sums.compute_us * 1e-6);
  p.communication = Seconds(sums.communication_us * 1e-6);
  p.total = Seconds(total * 1e-6);
  p.host = p.total - p.compute - p.communication;
  p.kernels = sums.kernels;
  p.part_us = sums.by_part;
  p.source = sums.source();
  const double parts = std::hypot(sums.compute_band, sums.communication_band);
  p.band = total > 0 ? pass_band(parts / total, options.stack) : 0;
  p.low = p.total * std::exp(-p.band);
  p.high = p.total * std::exp(p.band);
}

Predictor::Predictor(Hardware hardware, PredictOptions options)
    : state_(std::make_unique<State>(std::move(hardware), std::move(options))) {}
Predictor::~Predictor() = default;
Predictor::Predictor(Predictor&&) noexcept = default;
Predictor& Predictor::operator=(Predictor&&) noexcept = default;

Estimate Predictor::kernel(const KernelCall& call) { return state_->time_of(call); }

CollectiveEstimate Predictor::collective(CollectiveOp op, double bytes, int ranks, int stride) {
  return state_->time_of(CollectiveKey{op, std::llround(bytes), ranks, stride});
}

const Hardware& Predictor::hardware() const { return state_->hardware; }

const Stack& Predictor::stack() const { return state_->options.stack; }

Precision Predictor::precision(const Analysis& analysis) const {
  return state_->options.precision.value_or(precision_of(analysis.workload));
}

Prediction Predictor::predict(const Analysis& analysis) {
  return predict(analysis, state_->load_of_analysis(analysis.workload));
}

Prediction Predictor::predict(const Analysis& analysis, const Load& load) {
  Prediction p;
  const Sums sums = state_->add_up(analysis, load, &p);
  state_->fill(analysis, load, sums, p);
  return p;
}

Prediction Predictor::summary(const Analysis& analysis, const Load& load) {
  Prediction p;
  state_->fill(analysis, load, state_->add_up(analysis, load, nullptr), p);
  return p;
}

Seconds Predictor::total(const Analysis& analysis) {
  return total(analysis, state_->load_of_analysis(analysis.workload));
}

Seconds Predictor::total(const Analysis& analysis, const Load& load) {
  const Sums sums = state_->add_up(analysis, load, nullptr);
  return Seconds(state_->total_us(analysis, load, sums) * 1e-6);
}

Prediction predict(const Analysis& analysis, const Hardware& hardware) { return Predictor(hardware).predict(analysis); }

}  // namespace tpsim
