// A training step on real ranks: gradients, verdicts, and the collectives of the way back.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/plan.h"
#include "core/safetensors.h"
#include "exec/interrupt.h"
#include "exec/run_input.h"
#include "exec/run_plan.h"
#include "exec/thread_ranks.h"
#include "tests/tiny_model.h"

namespace tpsim::exec {
namespace {

RunRequest training_of(const Model& model, const Weights& weights, int tp, const Dialect& dialect = kNewestDialect) {
  const RunInput input = seeded_input(2, 6, model.vocab_size, 3);
  RunRequest request;
  request.model = &model;
  request.analysis.dialect = dialect;
  request.analysis.parallelism.tp = tp;
  request.weights = &weights;
  request.ids_shape = input.ids_shape;
  request.ids = input.ids;
  request.float64 = true;
  request.train = true;
  return request;
}

RunOutcome outcome_of(const RunRequest& request) {
  const InterruptGuard guard;  // forgets what stopped an earlier run of this process
  auto outcome = run_plan(request, run_on_threads);
  INFO(error_text(outcome));
  REQUIRE(outcome);
  return *std::move(outcome);
}

void check_right(const RunOutcome& outcome) {
  CHECK(outcome.verdict == Verdict::right);
  CHECK(outcome.events_as_analysed);
  REQUIRE(outcome.training);
  CHECK(outcome.training->backward_as_analysed);
  CHECK(outcome.training->gradients.size() > 10);
}

std::string text_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// The weights of another source with one number of one parameter moved.
class MovedWeights final : public Weights {
public:
  MovedWeights(const Weights& from, std::string name) : from_(from), name_(std::move(name)) {}
  Result<std::vector<float>> read(const ParameterPiece& piece) const override {
    auto values = from_.read(piece);
    if (values && piece.name == name_) (*values)[at] += by;
    return values;
  }
  std::size_t at = 0;
  float by = 0;

private:
  const Weights& from_;
  std::string name_;
};

// d loss / d parameter by central differences of the whole model's loss.
std::vector<float> differences(const Model& model, const Weights& weights, const std::string& name, std::size_t count) {
  constexpr float kStep = 0x1p-9F;
  MovedWeights moved(weights, name);
  RunRequest request = training_of(model, moved, 1);
  std::vector<float> result;
  for (moved.at = 0; moved.at < count; ++moved.at) {
    moved.by = kStep;
    const double above = outcome_of(request).training->unsharded_loss;
    moved.by = -kStep;
    result.push_back(static_cast<float>((above - outcome_of(request).training->unsharded_loss) / (2.0 * kStep)));
  }
  return result;
}

}  // namespace

TEST_CASE("training: sharded gradients are the unsharded model's", "[exec][training]") {
  const auto weights = seeded_weights(1);
  for (const char* type : {"llama", "qwen3", "gemma2", "gpt_neox", "phi3", "mixtral", "deepseek_v3", "gpt_oss"}) {
    const Model model = tiny_model(type);
    for (const int tp : {2, 4}) {
      INFO(type << " tp " << tp);
      check_right(outcome_of(training_of(model, *weights, tp)));
    }
  }
}

TEST_CASE("training: experts reached by exchange send gradients the same way back", "[exec][training]") {
  const auto weights = seeded_weights(1);
  const Model model = tiny_model("mixtral");
  RunRequest request = training_of(model, *weights, 2);
  request.analysis.parallelism.ep = 2;
  const RunOutcome outcome = outcome_of(request);
  check_right(outcome);
  const auto& back = outcome.training->backward;
  CHECK(std::count_if(back.begin(), back.end(), [](const auto& e) { return e.op == CollectiveOp::all_to_all; }) == 4);
}

TEST_CASE("training: a plan that is right forward may leave gradients partial", "[exec][training]") {
  const auto weights = seeded_weights(1);
  const Dialect dialect = *parse_dialect("5.15");
  const Model model = tiny_model("qwen3", "", dialect);
  RunRequest request = training_of(model, *weights, 2, dialect);
  request.analysis.plan.kind = PlanKind::manual;
  const auto plan =
      read_plan(R"({"model.layers.*.self_attn.q_proj": "colwise", "model.layers.*.self_attn.k_proj": "colwise",
      "model.layers.*.self_attn.v_proj": "colwise", "model.layers.*.self_attn.o_proj": "rowwise"})",
                "plan.json");
  REQUIRE(plan);
  request.analysis.plan.plan = *plan;
  const RunOutcome wrong = outcome_of(request);
  CHECK(wrong.verdict == Verdict::wrong);
  CHECK(wrong.sharded_vs_unsharded->max_abs <= wrong.band);
  REQUIRE(wrong.training->first_divergent);
  CHECK(wrong.training->first_divergent->parameter == "model.layers.1.self_attn.k_norm.weight");
  for (const GradientError& gradient : wrong.training->gradients)
    CHECK(gradient.inside == (gradient.parameter.find("_norm.weight") == std::string::npos ||
                              gradient.parameter.find("self_attn") == std::string::npos));
}

TEST_CASE("training: a whole model's gradients are the slopes of its loss", "[exec][training]") {
  const auto weights = seeded_weights(1);
  const Model model = tiny_model("llama", "", kNewestDialect);
  RunRequest request = training_of(model, *weights, 1);
  for (const char* name : {"model.layers.0.input_layernorm.weight", "model.norm.weight"})
    request.reference_gradients[name] = differences(model, *weights, name, 64);
  const RunOutcome outcome = outcome_of(request);
  REQUIRE(outcome.training->unsharded_vs_reference.size() == 2);
  for (const GradientError& gradient : outcome.training->unsharded_vs_reference) CHECK(gradient.error->max_rel < 1e-4);
}

TEST_CASE("training: the real library's gradients", "[exec][training][oracle]") {
  namespace fs = std::filesystem;
  const fs::path oracle = "../shared/oracle";
  if (!fs::exists(oracle / "gradients")) {
    WARN("skipped: " << oracle << " is not here");
    return;
  }
  for (const auto& entry : fs::directory_iterator(oracle / "gradients")) {
    const std::string name = entry.path().stem().string();
    INFO(name);
    auto config = read_config(text_of(oracle / "checkpoints" / name / "config.json"), name);
    REQUIRE(config);
    const auto architecture = load_architecture(config->model_type, kNewestDialect);
    REQUIRE(architecture);
    const auto model = build_model(*architecture, *config);
    REQUIRE(model);
    const auto header = read_safetensors((oracle / "checkpoints" / name / "model.safetensors").string());
    REQUIRE(header);
    const auto weights = open_weights(*model, *header);
    REQUIRE(weights);
    RunRequest request = training_of(*model, **weights, 2);
    const auto input = read_run_input((oracle / "checkpoints" / name / "io.safetensors").string(), model->vocab_size);
    REQUIRE(input);
    request.ids_shape = input->ids_shape;
    request.ids = input->ids;
    request.float64 = false;
    const auto real = read_gradients(entry.path().string());
    REQUIRE(real);
    request.reference_gradients = *real;
    const RunOutcome outcome = outcome_of(request);
    check_right(outcome);
    CHECK(outcome.training->unsharded_vs_reference.size() + 1 == real->size());
    for (const GradientError& gradient : outcome.training->unsharded_vs_reference) {
      INFO(gradient.parameter);
      CHECK(gradient.inside);
    }
  }
}

}  // namespace tpsim::exec
