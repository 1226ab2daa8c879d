#include "cli/scenario.h"

#include <algorithm>

#include "core/effective_plan.h"

namespace tpsim::cli {
namespace {

constexpr std::int64_t kDefaultBatch = 8, kDefaultPrompt = 2048, kDefaultContext = 4096;
constexpr std::int64_t kTrainingBatch = 1, kTrainingSequence = 4096;

void set_training_lengths(Scenario& s, const Options& options) {
  s.batch = options.batch.value_or(kTrainingBatch);
  s.prompt = options.prompt.value_or(kTrainingSequence);
  s.context = s.prompt;
}

Result<void> set_lengths(Scenario& s, const Options& options) {
  if (s.phase == Phase::train) {
    set_training_lengths(s, options);
    return {};
  }
  s = with_lengths(std::move(s),
                   lengths_or_default(options.batch, options.prompt, options.context, options.generate, options.chunk));
  const std::int64_t generated = s.generate;
  const std::int64_t least = s.prompt + generated;
  if (s.context >= least) return {};
  Error error = usage_error("--ctx " + std::to_string(s.context) + " is shorter than the prompt" +
                            (generated > 0 ? " and what is generated" : "") + ", " + std::to_string(least) + " tokens");
  error.fixes = {"--ctx " + std::to_string(least)};
  return error;
}

void set_dtypes(Scenario& s, const Options& options) {
  const auto of_config = parse_dtype(s.model().dtype);
  s.weights = options.dtype.value_or(of_config.value_or(DType::bf16));
  s.activations = is_quantised(s.weights) ? DType::bf16 : s.weights;
  s.kv_cache = options.kv_dtype.value_or(s.activations);
}

void assume(Scenario& s, bool by_user, std::string name, std::string value) {
  s.assumptions.push_back({std::move(name), std::move(value), by_user ? "user" : "default"});
}

void list_training_assumptions(Scenario& s, const Options& options) {
  assume(s, options.dtype.has_value(), "weight_dtype", to_string(s.weights));
  assume(s, false, "runtime_bytes", std::to_string(s.hardware.runtime_reserve.value));
  assume(s, false, "allocator", "holds 5 % beside the tensors alive");
  assume(s, false, "optimizer", "Adam; 16-bit weights have an fp32 copy");
  assume(s, false, "attention", "flash attention: no scores are kept");
  assume(s, options.stack.has_value(), "stack", s.stack.name);
  assume(s, false, "overlap", "none: communication adds to computation");
  if (s.model().experts > 0) assume(s, false, "routing", "uniform over the experts");
}

void list_assumptions(Scenario& s, const Options& options) {
  assume(s, options.hardware.has_value(), "hardware", s.hardware.name);
  assume(s, options.batch.has_value(), "batch", std::to_string(s.batch));
  assume(s, options.prompt.has_value(), "prompt_tokens", std::to_string(s.prompt));
  if (s.phase == Phase::train) return list_training_assumptions(s, options);
  assume(s, options.context || options.generate, "context_tokens", std::to_string(s.context));
  if (s.generate > 0) assume(s, true, "generated_tokens", std::to_string(s.generate));
  if (s.chunk > 0) assume(s, true, "chunk_tokens", std::to_string(s.chunk));
  assume(s, options.dtype.has_value(), "weight_dtype", to_string(s.weights));
  assume(s, options.kv_dtype.has_value(), "kv_dtype", to_string(s.kv_cache));
  assume(s, false, "runtime_bytes", std::to_string(s.hardware.runtime_reserve.value));
  assume(s, false, "communication_bytes", "the largest collective's tensor on the send and on the receive side");
  assume(s, false, "activation_bytes", "largest sum of tensors alive at one time in prefill, eager attention");
  assume(s, options.stack.has_value(), "stack", s.stack.name);
  assume(s, false, "overlap", "none: communication adds to computation");
  if (s.model().experts > 0) assume(s, false, "routing", "uniform over the experts");
}

bool ends_with_kv_projection(std::string_view key) { return key.ends_with(".k_proj") || key.ends_with(".v_proj"); }

// The plan in effect as a plan of its own, which may name tpsim's strategies.
Plan extended_plan(Scenario& s, std::string name) {
  Plan plan;
  plan.name = std::move(name);
  for (const auto& resolved : effective_plan(s.model(), request_for(s, 2, Pass::forward)).rules)
    plan.rules.push_back(resolved.rule);
  return plan;
}

void use_extended(Scenario& s, Plan plan) {
  s.plan.choice.kind = PlanKind::manual;
  s.plan.choice.base_plan = false;
  s.plan.choice.plan = std::move(plan);
  s.dialect.extensions = true;
}

// --kv-replicate: the plan in effect with the kv projections' strategy replaced.
Result<void> replicate_kv(Scenario& s) {
  Plan plan = extended_plan(s, "kv-replicate");
  bool found = false;
  for (Rule& rule : plan.rules)
    if (ends_with_kv_projection(rule.key) && rule.strategy == "colwise") {
      rule.strategy = "kv_replicate";
      found = true;
    }
  if (!found) return input_error("--kv-replicate: the plan has no colwise rule for k_proj or v_proj");
  use_extended(s, std::move(plan));
  return {};
}

bool is_norm(const ModuleType& type) {
  return type.kind == ModuleKind::rms_norm || type.kind == ModuleKind::layer_norm;
}

// Norms on the way of the hidden states: those of the layers themselves, and those outside the layers.
void add_stream_norms(const Model& model, const ModuleType& type, const std::string& prefix, bool in_layer,
                      std::vector<std::string>& names) {
  for (const Child& child : type.children) {
    if (child.types.empty()) continue;
    const ModuleType& first = model.type(child.types.front());
    const std::string name = prefix.empty() ? child.name : prefix + "." + child.name;
    if (is_norm(first)) names.push_back(name);
    if (in_layer || first.kind != ModuleKind::block) continue;
    add_stream_norms(model, first, child.is_list ? name + ".*" : name, child.is_list, names);
  }
}

// --sequence-parallel: the plan in effect with the sequence cut around those norms.
Result<void> cut_sequence(Scenario& s) {
  std::vector<std::string> norms;
  add_stream_norms(s.model(), s.model().type(s.model().root), "", false, norms);
  if (norms.empty()) return input_error("--sequence-parallel: the model's layers have no norms to cut the sequence at");
  Plan plan = extended_plan(s, "sequence-parallel");
  std::erase_if(plan.rules, [&](const Rule& r) { return std::find(norms.begin(), norms.end(), r.key) != norms.end(); });
  for (const std::string& norm : norms) plan.rules.push_back({norm, "megatron_sequence_parallel", {}, {}});
  use_extended(s, std::move(plan));
  return {};
}

}  // namespace

Result<void> leave_logits_cut(Scenario& s) {
  Plan plan = extended_plan(s, s.plan.choice.kind == PlanKind::manual ? s.plan.choice.plan.name : "auto");
  bool found = false;
  for (Rule& rule : plan.rules)
    if (rule.strategy == "colwise_gather_output" || rule.strategy == "colwise_rep") {
      rule.strategy = "colwise";
      found = true;
    }
  if (!found) return input_error("--parallel-loss: no rule of the plan gathers the logits");
  use_extended(s, std::move(plan));
  return {};
}

Lengths lengths_or_default(std::optional<std::int64_t> batch, std::optional<std::int64_t> prompt,
                           std::optional<std::int64_t> context, std::optional<std::int64_t> generate,
                           std::optional<std::int64_t> chunk) {
  Lengths l;
  l.batch = batch.value_or(kDefaultBatch);
  l.prompt = prompt.value_or(context ? std::min(kDefaultPrompt, *context) : kDefaultPrompt);
  l.generate = generate.value_or(0);
  l.chunk = chunk.value_or(0);
  l.context = context.value_or(generate ? l.prompt + l.generate : std::max(kDefaultContext, l.prompt));
  return l;
}

Scenario with_lengths(Scenario s, const Lengths& l) {
  s.batch = l.batch;
  s.prompt = l.prompt;
  s.context = l.context;
  s.generate = l.generate;
  s.chunk = l.chunk;
  return s;
}

const char* to_string(Phase phase) {
  switch (phase) {
    case Phase::prefill: return "prefill";
    case Phase::decode: return "decode";
    case Phase::both: return "both";
    case Phase::train: break;
  }
  return "train";
}

Result<Scenario> load_scenario(const Options& options) {
  if (auto single = check_standard_input(options); !single) return single.error();
  auto input = load_model(options);
  if (!input) return input.error();
  auto hardware = load_hardware_input(options);
  if (!hardware) return hardware.error();
  return load_scenario(options, std::move(*input), std::move(*hardware));
}

Result<Scenario> load_scenario(const Options& options, ModelInput input, Hardware hardware) {
  auto plan = load_plan(options);
  if (!plan) return plan.error();
  auto custom = load_strategies(options);
  if (!custom) return custom.error();
  const auto stack = load_stack(options, hardware);
  if (!stack) return stack.error();
  Scenario s{std::move(input),
             std::move(*plan),
             std::move(*custom),
             std::move(hardware),
             *stack,
             options.dialect,
             options.ep,
             options.phase,
             kDefaultBatch,
             kDefaultPrompt,
             kDefaultContext,
             0,
             0,
             DType::bf16,
             DType::bf16,
             DType::bf16,
             {}};
  if (auto set = set_lengths(s, options); !set) return set.error();
  set_dtypes(s, options);
  list_assumptions(s, options);
  if (options.kv_replicate) {
    if (auto replaced = replicate_kv(s); !replaced) return replaced.error();
  }
  if (options.training.sequence_parallel) {
    if (auto cut = cut_sequence(s); !cut) return cut.error();
  }
  return s;
}

namespace {

void set_tokens(Workload& w, const Scenario& s, Pass pass) {
  const ChunkedPrompt chunks = s.chunks();
  const std::int64_t whole = chunks.tokens / chunks.chunk;
  switch (pass) {
    case Pass::forward: w.tokens = s.prompt; break;
    case Pass::prefill:
      w.tokens = chunks.chunk;
      w.past = chunks.cached(whole - 1);
      break;
    case Pass::rest:
      w.tokens = chunks.tokens % chunks.chunk;
      w.past = chunks.cached(whole);
      break;
    case Pass::decode:
      w.tokens = 1;
      w.past = s.context - 1;
      break;
  }
}

}  // namespace

AnalysisRequest request_for(const Scenario& s, int tp, Pass pass) {
  AnalysisRequest request;
  request.dialect = s.dialect;
  request.parallelism.tp = tp;
  request.parallelism.ep = s.ep;
  request.plan = s.plan.choice;
  request.custom = s.custom;
  Workload& w = request.workload;
  w.batch = s.batch;
  set_tokens(w, s, pass);
  w.all_logits = pass == Pass::forward;
  w.weights = s.weights;
  w.activations = s.activations;
  w.kv_cache = s.kv_cache;
  return request;
}

AnalysisRequest baseline_request(const Scenario& s, Pass pass) {
  AnalysisRequest request = request_for(s, 1, pass);
  request.parallelism = {};
  request.plan = {};
  request.plan.kind = PlanKind::none;
  return request;
}

}  // namespace tpsim::cli
