#include "sim/training/training_time.h"
#include "core/analyze.h"
#include "sim/training/backward_kernels.h"
#include "tests/catch.hpp"
#include "tests/tiny_model.h"

namespace tpsim {
namespace {

Analysis micro_batch(int layers) {
  const Model model = model_of_type("llama",
                                    R"("hidden_size": 4096, "num_attention_heads": 32,
      "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 32000, "num_hidden_layers": )" +
                                        std::to_string(layers),
                                    kNewestDialect);
  AnalysisRequest request;
  request.workload.batch = 1;
  request.workload.tokens = 4096;
  request.plan.kind = PlanKind::none;
  auto result = analyze(model, request);
  REQUIRE(result);
  return std::move(*result);
}

Predictor h100() {
  auto hardware = load_hardware("h100-sxm");
  REQUIRE(hardware);
  return Predictor(std::move(*hardware));
}

}  // namespace

TEST_CASE("backward of a product: the input's gradient, the weight's gradient, its fp32 sum", "[training]") {
  KernelCall call;
  call.kind = KernelKind::gemm;
  call.rows = 128;
  call.n = 512;
  call.k = 256;
  const BackwardKernels b = backward_of(call);
  REQUIRE(b.count == 3);
  CHECK((b.parts[0].call.rows == 128 && b.parts[0].call.n == 256 && b.parts[0].call.k == 512));
  CHECK((b.parts[1].call.rows == 512 && b.parts[1].call.n == 256 && b.parts[1].call.k == 128));
  CHECK(b.parts[2].call.bytes == 6 * 512 * 256);
}

TEST_CASE("training time: the backward pass takes two to three forward passes, recomputation one more", "[training]") {
  const Analysis a = micro_batch(4);
  Predictor predictor = h100();
  TrainingSetup setup;
  const StageTime plain = predict_training(a, predictor, setup).stages.at(0);
  CHECK(plain.backward > 1.8 * plain.forward);
  CHECK(plain.backward < 3.2 * plain.forward);
  setup.saved.recompute = Recompute::full;
  const StageTime again = predict_training(a, predictor, setup).stages.at(0);
  CHECK(again.forward.count() == Approx(plain.forward.count()));
  CHECK(again.backward > plain.backward + 0.7 * plain.forward);
  CHECK(again.backward < plain.backward + 1.05 * plain.forward);
}

TEST_CASE("training time: a pipeline's bubble shrinks with micro-batches and with interleaving", "[training]") {
  const Analysis a = micro_batch(8);
  Predictor predictor = h100();
  TrainingSetup setup;
  setup.pipeline = 4;
  setup.micro_batches = 4;
  const TrainingPrediction few = predict_training(a, predictor, setup);
  setup.micro_batches = 32;
  const TrainingPrediction many = predict_training(a, predictor, setup);
  CHECK(few.bubble.count() == Approx(many.bubble.count()));
  CHECK(few.bubble / few.step > many.bubble / many.step);
  setup.virtual_stages = 2;
  CHECK(predict_training(a, predictor, setup).bubble.count() == Approx(many.bubble.count() / 2));
}

TEST_CASE("training time: a stack's time for a pass is spent by each micro-batch on each stage", "[training]") {
  const Analysis a = micro_batch(8);
  TrainingSetup setup;
  setup.pipeline = 4;
  setup.micro_batches = 16;
  Predictor plain = h100();
  Stack stack;
  stack.step_us = 1000;
  Predictor hosted(*load_hardware("h100-sxm"), {stack, {}});
  const Seconds more = predict_training(a, hosted, setup).step - predict_training(a, plain, setup).step;
  CHECK(more.count() == Approx((16 + 3) * 1e-3));
}

TEST_CASE("training time: replicas add their gradients' reduction, ZeRO takes from the optimizer", "[training]") {
  const Analysis a = micro_batch(2);
  Predictor predictor = h100();
  TrainingSetup setup;
  CHECK(predict_training(a, predictor, setup).gradients.count() == 0);
  setup.data_parallel = 8;
  const TrainingPrediction replicas = predict_training(a, predictor, setup);
  CHECK(replicas.gradients.count() > 0);
  setup.zero = ZeroStage::optimizer;
  const TrainingPrediction shared = predict_training(a, predictor, setup);
  CHECK(shared.optimizer < replicas.optimizer / 4);
}

}  // namespace tpsim
