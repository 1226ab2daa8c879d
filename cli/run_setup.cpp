#include "cli/run_setup.h"

#include "cli/run_ranks.h"

namespace tpsim::cli {
namespace {

constexpr std::int64_t kDefaultTokens = 16;
constexpr int kDefaultWarmup = 3;

Result<DType> run_dtype(const Options& options, const Model& model) {
  const DType dtype = options.dtype.value_or(parse_dtype(model.dtype).value_or(DType::fp32));
  if (dtype == DType::fp32 || dtype == DType::bf16 || dtype == DType::fp16) return dtype;
  Error error = usage_error(std::string("a run computes in fp32, bf16 or fp16, not in ") + to_string(dtype));
  error.fixes = {"--dtype bf16"};
  return error;
}

Result<void> load_weights(RunSetup& loaded, const Options& options) {
  const auto& checkpoint = loaded.model.source.checkpoint;
  if (!checkpoint || options.seed) {
    loaded.weights = exec::seeded_weights(static_cast<std::uint64_t>(options.seed.value_or(0)));
    loaded.weight_source = "seed " + std::to_string(options.seed.value_or(0));
    return {};
  }
  auto weights = exec::open_weights(loaded.model.model, *checkpoint);
  if (!weights) return weights.error();
  loaded.weights = *std::move(weights);
  loaded.weight_source = checkpoint->files.empty() ? std::string("checkpoint") : checkpoint->files.front();
  return {};
}

Result<void> load_ids(RunSetup& loaded, const Options& options) {
  const std::int64_t vocabulary = loaded.model.model.vocab_size;
  if (options.input) {
    auto input = exec::read_run_input(*options.input, vocabulary);
    if (!input) return input.error();
    loaded.input = *std::move(input);
    return {};
  }
  loaded.input = exec::seeded_input(options.batch.value_or(1), options.prompt.value_or(kDefaultTokens), vocabulary,
                                    static_cast<std::uint64_t>(options.seed.value_or(0)));
  return {};
}

Result<void> load_gradients(RunSetup& loaded, const Options& options) {
  if (!options.gradients) return {};
  if (options.phase != Phase::train) {
    Error error = usage_error("--gradients " + *options.gradients + " is about training");
    error.fixes = {"--phase train"};
    return error;
  }
  auto gradients = exec::read_gradients(*options.gradients);
  if (!gradients) return gradients.error();
  loaded.gradients = *std::move(gradients);
  return {};
}

}  // namespace

Result<RunMachine> load_run_machine(Options options) {
  if (!options.hardware && !options.profile) options.hardware = "generic-cpu";
  auto hardware = load_hardware_input(options);
  if (!hardware) return hardware.error();
  auto stack = load_stack(options, *hardware);
  if (!stack) return stack.error();
  return RunMachine{*std::move(hardware), *std::move(stack)};
}

Result<void> load_planned_model(const Options& options, RunSetup& loaded) {
  auto model = load_model(options);
  if (!model) return model.error();
  auto plan = load_plan(options);
  if (!plan) return plan.error();
  auto custom = load_strategies(options);
  if (!custom) return custom.error();
  AnalysisRequest request;
  request.dialect = options.dialect;
  request.parallelism.ep = options.ep;
  request.plan = plan->choice;
  request.custom = *custom;
  const auto tp = run_tp(options, model->model, request);
  if (!tp) return tp.error();
  loaded.model = *std::move(model);
  loaded.plan = *std::move(plan);
  loaded.custom = *std::move(custom);
  loaded.tp = *tp;
  const auto dtype = run_dtype(options, loaded.model.model);
  if (!dtype) return dtype.error();
  loaded.dtype = *dtype;
  return {};
}

Result<void> load_run(const Options& options, RunSetup& loaded) {
  if (auto done = load_planned_model(options, loaded); !done) return done;
  if (auto done = load_weights(loaded, options); !done) return done.error();
  if (auto done = load_gradients(loaded, options); !done) return done.error();
  return load_ids(loaded, options);
}

exec::RunRequest request_of(const RunSetup& loaded, const Options& options) {
  exec::RunRequest request;
  request.model = &loaded.model.model;
  request.analysis.dialect = options.dialect;
  request.analysis.parallelism.tp = loaded.tp;
  request.analysis.parallelism.ep = options.ep;
  request.analysis.plan = loaded.plan.choice;
  request.analysis.custom = loaded.custom;
  request.weights = loaded.weights.get();
  request.ids_shape = loaded.input.ids_shape;
  request.ids = loaded.input.ids;
  request.reference_logits = loaded.input.logits;
  request.dtype = loaded.dtype;
  request.float64 = options.float64;
  request.train = options.phase == Phase::train;
  request.reference_gradients = loaded.gradients;
  request.generate = static_cast<int>(options.generate.value_or(0));
  request.threads = static_cast<int>(options.threads.value_or(0));
  request.iterations = options.iterations.value_or(0);
  request.warmup = options.warmup.value_or(kDefaultWarmup);
  return request;
}

AnalysisRequest request_of(const RunSetup& setup, const Options& options, const PassMeasurement& pass) {
  AnalysisRequest request;
  request.dialect = options.dialect;
  request.parallelism.tp = setup.tp;
  request.parallelism.ep = options.ep;
  request.plan = setup.plan.choice;
  request.custom = setup.custom;
  Workload& w = request.workload;
  w.batch = pass.batch;
  w.tokens = pass.tokens;
  w.past = pass.past;
  w.weights = w.activations = w.kv_cache = setup.dtype;
  return request;
}

}  // namespace tpsim::cli
