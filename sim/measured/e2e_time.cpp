#include "sim/measured/e2e_time.h"

#include <algorithm>
#include <cmath>

#include "sim/calibration.h"
#include "sim/measured/training_row.h"

namespace tpsim {
namespace {

// Share of a GPU's memory that serving stacks fill with weights and cache.
constexpr double kMemoryShare = 0.9;
// InferenceX's clients draw lengths uniformly between 0.8 and 1.0 of the nominal ones.
constexpr double kDrawnLengths = 0.9;

std::int64_t whole(double value) { return std::max<std::int64_t>(1, std::llround(value)); }
double milliseconds_of(double us) { return us / 1e3; }

// A sum of passes with weights, and its uncertainty.
struct Weighted {
  double us = 0, band_us = 0;
  double by_source[4] = {};
  E2eParts parts;

  void add(const Prediction& p, const Load& load, int ranks, double weight) {
    for (std::size_t i = 0; i < kTimeParts; ++i) parts.us[i] += p.part_us[i] * weight;
    bool prompts = false;
    for (const AttentionGroup& group : load.groups) {
      parts.sequences += static_cast<double>(group.sequences) * weight;
      prompts = prompts || group.query > 1;
    }
    parts.passes += weight;
    parts.prompt_passes += prompts ? weight : 0;
    parts.doublings += std::log2(ranks) * weight;
    const double own = microseconds(p.total) * weight;
    us += own;
    band_us += own * p.band;
    by_source[static_cast<std::size_t>(p.source)] += std::abs(own);
  }
  void scale(double factor) {
    us *= factor;
    band_us *= factor;
    for (double& part : parts.us) part *= factor;
    for (double& part : parts.prompt_us) part *= factor;
    for (double* sum : {&parts.passes, &parts.prompt_passes, &parts.sequences, &parts.doublings}) *sum *= factor;
  }
  double band() const { return us > 0 ? std::abs(band_us) / us : 0; }
  NumberSource source() const {
    for (const auto s : {NumberSource::spec, NumberSource::transferred, NumberSource::calibrated})
      if (by_source[static_cast<std::size_t>(s)] > 0.1 * us) return s;
    return NumberSource::measured;
  }
};

bool is_training(const E2eRow& row) { return row.group == "train" || row.group == "memory" || row.group == "layer"; }

bool mentions(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// Everything that a row's passes need.
struct Rig {
  const E2eRow& row;
  const Analysis& analysis;
  const E2eModel& model;
  Predictor& predictor;
  double input = 1, output = 0;  // tokens
  std::int64_t batch = 1;        // of one replica

  Load base(std::int64_t rows, std::int64_t head_rows) const {
    Load load;
    load.rows = rows;
    load.head_rows = model.has_head ? head_rows : 1;
    load.expert_split = row.ep > 1 ? std::min(row.ep, row.tp) : 1;
    load.extra_all_reduces = row.tp > 1 ? model.extra_all_reduces * static_cast<double>(model.layers) : 0;
    load.extra_bytes = model.extra_bytes * rows;
    return load;
  }
  Load prompts(std::int64_t sequences, double length) const {
    Load load = base(sequences * whole(length), sequences);
    load.groups = {{sequences, whole(length), whole(length)}};
    return load;
  }
  Load decode(std::int64_t sequences, double context) const {
    Load load = base(sequences, sequences);
    load.groups = {{sequences, 1, whole(context)}};
    return load;
  }
  // One prompt in a pass with `sequences` that decode.
  Load mixed(std::int64_t sequences, double context) const {
    Load load = base(sequences + whole(input), sequences + 1);
    load.groups = {{sequences, 1, whole(context)}, {1, whole(input), whole(input)}};
    return load;
  }
  double middle() const { return input + output / 2; }
  void add(Weighted& sum, const Load& load, double weight) const {
    sum.add(predictor.predict(analysis, load), load, row.tp, weight);
  }
};

// `steps` decode steps after the first token, by Simpson's rule over the context.
void add_decoding(Weighted& sum, const Rig& rig, std::int64_t sequences, double steps) {
  if (steps <= 0) return;
  rig.add(sum, rig.decode(sequences, rig.input + 1), steps / 6);
  rig.add(sum, rig.decode(sequences, rig.input + 1 + steps / 2), steps * 4 / 6);
  rig.add(sum, rig.decode(sequences, rig.input + steps), steps / 6);
}

// Sequences that the memory holds beside the weights.
std::int64_t capacity(const Rig& rig, double tokens_each) {
  const Analysis& a = rig.analysis;
  const RankMemory& rank = a.memory[static_cast<std::size_t>(heaviest_rank(a))];
  const double positions = static_cast<double>(a.workload.batch) * static_cast<double>(a.workload.past + 1);
  const Precision precision = rig.predictor.precision(a);
  const double kv = element_bits(precision.kv_cache) / static_cast<double>(element_bits(a.workload.kv_cache));
  const double per_position = static_cast<double>(rank.kv_cache) / positions * kv;
  const double weights =
      static_cast<double>(rank.weights) * element_bits(precision.experts) / element_bits(a.workload.weights);
  const double free = static_cast<double>(rig.predictor.hardware().memory.value) * kMemoryShare - weights;
  if (per_position <= 0) return INT64_MAX;
  return std::max<std::int64_t>(1, std::llround(std::floor(free / per_position / tokens_each)));
}

// Prompts and generation of a whole batch; what does not fit into memory waits for the rest.
Weighted generation(const Rig& rig) {
  const std::int64_t fitting = std::min(rig.batch, capacity(rig, rig.input + rig.output));
  Weighted one;
  rig.add(one, rig.prompts(fitting, rig.input), 1);
  add_decoding(one, rig, fitting, rig.output - 1);
  const double waves = static_cast<double>(rig.batch) / static_cast<double>(fitting);
  one.scale(waves);
  return one;
}

// A step of `sequences` that decode, while prompts of new ones come in as often as others end. What one of them sees
// between its tokens: prompts of the others.
Weighted serving_step(const Rig& rig, std::int64_t sequences, bool of_one) {
  Weighted step, with_prompt;
  rig.add(step, rig.decode(sequences, rig.middle()), 1);
  rig.add(with_prompt, rig.mixed(sequences, rig.middle()), 1);
  const double prompts = rig.output > 0 ? static_cast<double>(sequences - (of_one ? 1 : 0)) / rig.output : 0;
  const double waited_for = prompts * rig.predictor.stack().prompt_share;
  for (std::size_t i = 0; i < kTimeParts; ++i)
    step.parts.prompt_us[i] = prompts * (with_prompt.parts.us[i] - step.parts.us[i]);
  step.parts.prompt_passes = prompts;
  step.us += waited_for * (with_prompt.us - step.us);
  step.band_us += waited_for * (with_prompt.band_us - step.band_us);
  return step;
}

// Sequences that go from stage to stage together: a batch is shared out among the stages and halved until no part has
// more than 4096 padded tokens (FasterTransformer, getLocalBatchSize).
std::int64_t stage_batch(const Rig& rig) {
  constexpr double most = 4096;
  std::int64_t batch = rig.batch;
  if (rig.row.pp <= 1) return batch;
  if (batch % rig.row.pp == 0) batch /= rig.row.pp;
  while (static_cast<double>(batch) * rig.input > most && batch % 2 == 0) batch /= 2;
  return batch;
}

// BERT's batches are ragged: products see the valid tokens, attention the padded sequences. Parts of a batch follow
// each other through the stages, which each run a share of the layers.
Weighted encoder_pass(const Rig& rig) {
  const std::int64_t together = stage_batch(rig);
  const double parts = static_cast<double>(rig.batch) / static_cast<double>(together);
  const auto valid = note_number(rig.row, "valid_tokens");
  Load load = rig.prompts(together, rig.input);
  if (valid) load.rows = whole(*valid / parts);
  load.causal = !rig.row.model_params.contains("encoder");
  Weighted sum;
  rig.add(sum, load, (parts + rig.row.pp - 1) / rig.row.pp);
  return sum;
}

E2eEstimate in_milliseconds(const Weighted& sum) {
  return {milliseconds_of(sum.us), sum.band(), sum.source(), sum.parts};
}
E2eEstimate per_second(double count, const Weighted& sum) {
  E2eEstimate estimate{sum.us > 0 ? count / (sum.us * 1e-6) : 0, sum.band(), sum.source(), sum.parts};
  estimate.parts.count = count;
  return estimate;
}

Error no_prediction(const std::string& why) { return input_error(why); }

Result<E2eEstimate> throughput(const Rig& rig) {
  const double replicas = rig.row.dp;
  if (!rig.row.batch) {  // saturated: as many as memory holds
    const std::int64_t sequences = std::min<std::int64_t>(capacity(rig, rig.middle()), 2048);
    return per_second(replicas * static_cast<double>(sequences), serving_step(rig, sequences, false));
  }
  if (mentions(rig.row.framework, "static batch"))
    return per_second(replicas * static_cast<double>(rig.batch) * rig.output, generation(rig));
  return per_second(replicas * static_cast<double>(rig.batch), serving_step(rig, rig.batch, false));
}

Result<E2eEstimate> step(const Rig& rig) {
  if (!rig.row.batch)
    return no_prediction("the number of sequences in a step is not known: open-loop load needs a queue simulation");
  const bool fixed_batch = rig.row.metric == "itl_p50" || rig.row.metric == "decode_step" || rig.row.output_len <= 1;
  if (!fixed_batch) return in_milliseconds(serving_step(rig, rig.batch, true));
  Weighted sum;
  rig.add(sum, rig.decode(rig.batch, rig.middle()), 1);
  return in_milliseconds(sum);
}

Result<E2eEstimate> first_token(const Rig& rig) {
  if (rig.row.metric == "ttft_mean" && rig.row.batch.value_or(2) > 1)
    return no_prediction("time to the first token under load is queueing, which is not modelled");
  Weighted sum;
  if (rig.row.metric == "ttft_min") {
    // The last token of the prompt runs as a decode step.
    if (rig.input > 1) rig.add(sum, rig.prompts(1, rig.input - 1), 1);
    rig.add(sum, rig.decode(1, rig.input), 1);
  } else {
    rig.add(sum, rig.prompts(rig.row.metric == "ttft_batch" ? rig.batch : 1, rig.input), 1);
  }
  return in_milliseconds(sum);
}

Result<E2eEstimate> metric_value(const Rig& rig) {
  const std::string& metric = rig.row.metric;
  if (metric == "forward_latency") return in_milliseconds(encoder_pass(rig));
  if (metric == "generation_latency") return in_milliseconds(generation(rig));
  if (metric == "ttft_batch" || metric == "ttft_min" || metric == "ttft_mean") return first_token(rig);
  if (metric == "throughput_out") return throughput(rig);
  if (metric == "decode_speed") return per_second(rig.output, generation(rig));
  if (metric == "tpot_mean" || metric == "itl_mean" || metric == "itl_p50" || metric == "decode_step") return step(rig);
  return no_prediction("metric \"" + metric + "\" is not predicted");
}

Result<void> check_described(const E2eRow& row) {
  if (is_training(row)) return {};
  if (row.metric == "allreduce_time")
    return no_prediction("all-reduce times are predicted from rows of collective.csv's form");
  if (row.nodes > 1) return no_prediction("runs over several nodes are not predicted yet");
  if (row.dp > 1 && row.ep > 1)
    return no_prediction("attention data parallelism with expert parallelism is not described");
  return {};
}

Result<E2eEstimate> training_estimate(const E2eModel& model, const E2eRow& row, Predictor& predictor) {
  const auto value = predict_training_row(model, row, predictor);
  if (!value) return value.error();
  E2eEstimate estimate;
  estimate.value = value->value;
  estimate.band = value->band;
  estimate.source = value->source;
  return estimate;
}

}  // namespace

bool is_training_step(const E2eRow& row) {
  return (row.group == "train" || row.group == "layer") && !row.metric.starts_with("mem_");
}

bool is_rate(const E2eRow& row) {
  for (const char* metric :
       {"throughput_out", "decode_speed", "tokens_per_s_per_gpu", "mfu_percent", "hw_tflops_per_gpu"})
    if (row.metric == metric) return true;
  return false;
}

const char* metric_kind(const E2eRow& row) {
  if (row.group == "memory") return "memory";
  if (is_training(row)) return "training";
  const std::string& m = row.metric;
  if (m == "tpot_mean" || m == "itl_mean" || m == "itl_p50" || m == "decode_speed" || m == "decode_step")
    return "decode step";
  if (m == "forward_latency" || m == "ttft_batch" || m == "ttft_min") return "prefill";
  if (m.starts_with("ttft")) return "first token";
  if (m == "generation_latency") return "generation";
  if (m == "throughput_out") return "throughput";
  if (m == "allreduce_time") return "collective";
  return "other";
}

void E2eTimes::use_hardware(const std::string& name, Hardware hardware) {
  hardware_[name] = std::move(hardware);
  predictors_.clear();
}

void E2eTimes::use_stack(const std::string& framework, Stack stack) {
  stacks_[framework] = std::move(stack);
  predictors_.clear();
}

const Stack& E2eTimes::stack_of(const std::string& framework, const std::string& hardware) {
  if (const auto used = stacks_.find(framework); used != stacks_.end()) return used->second;
  const std::string key = framework + "|" + hardware;
  auto it = stacks_.find(key);
  if (it != stacks_.end()) return it->second;
  auto stack = find_stack(framework, hardware);
  return stacks_.emplace(key, stack ? std::move(*stack) : Stack{}).first->second;
}

Result<Predictor*> E2eTimes::predictor_of(const E2eRow& row, const Precision& precision) {
  const auto name = hardware_name_of(row.gpu);
  if (!name) return name.error();
  if (!hardware_.contains(*name)) {
    auto hardware = load_hardware(*name);
    if (!hardware) return hardware.error();
    if (auto usable = check_calibration(*hardware); !usable) return usable.error();
    hardware_.emplace(*name, std::move(*hardware));
  }
  const Stack& stack = stack_of(row.framework, *name);
  auto& slot = predictors_[*name + "|" + row.framework + "|" + row.dtype];
  if (!slot) {
    Precision own = precision;
    own.static_scales = stack.static_scales;
    slot = std::make_unique<Predictor>(hardware_.at(*name), PredictOptions{stack, own});
  }
  return slot.get();
}

Result<E2eEstimate> E2eTimes::predict(const E2eRow& row) {
  if (auto described = check_described(row); !described) return described.error();
  const auto precision = precision_of(row);
  if (!precision) return precision.error();
  const auto model = models_.model_of(row);
  if (!model) return model.error();
  const auto predictor = predictor_of(row, *precision);
  if (!predictor) return predictor.error();
  if (is_training(row)) return training_estimate(**model, row, **predictor);
  const auto analysis = models_.analysis_of(row);
  if (!analysis) return analysis.error();
  const double lengths = mentions(row.notes, "InferenceX") ? kDrawnLengths : 1;
  const Rig rig{row,
                **analysis,
                **model,
                **predictor,
                std::max(1.0, lengths * static_cast<double>(row.input_len)),
                lengths * static_cast<double>(row.output_len),
                std::max<std::int64_t>(1, (row.batch.value_or(1) + row.dp - 1) / row.dp)};
  auto estimate = metric_value(rig);
  if (estimate && !(std::isfinite(estimate->value) && estimate->value > 0))
    return no_prediction("the sizes of this row give no time");
  return estimate;
}

}  // namespace tpsim
