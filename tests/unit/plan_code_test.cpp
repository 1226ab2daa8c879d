#include "cli/plan_code.h"

#include "core/analyze.h"
#include "tests/catch.hpp"
#include "tests/tiny_model.h"

using namespace tpsim;
using namespace tpsim::cli;

namespace {

Analysis analysis_of(const std::string& type, const AnalysisRequest& request) {
  auto analysis = analyze(tiny_model(type, {}, request.dialect), request);
  INFO(error_text(analysis));
  REQUIRE(analysis);
  return std::move(*analysis);
}

AnalysisRequest at_tp(int tp, const std::vector<Rule>& rules = {}) {
  AnalysisRequest request;
  request.parallelism.tp = tp;
  if (rules.empty()) return request;
  request.plan.kind = PlanKind::manual;
  request.plan.plan.rules = rules;
  return request;
}

}  // namespace

TEST_CASE("plan code: torch styles of a dense model's plan", "[plan_code]") {
  const PlanCode code = parallelize_module(analysis_of("llama", at_tp(2)));
  CHECK(code.left_out.empty());
  for (const char* line : {"    \"lm_head\": ColwiseParallel(output_layouts=Replicate()),\n",
                           "    \"model.embed_tokens\": RowwiseParallel(input_layouts=Replicate()),\n",
                           "    \"model.layers.*.self_attn.q_proj\": ColwiseParallel(),\n",
                           "    \"model.layers.*.mlp.down_proj\": RowwiseParallel(),\n",
                           "import ColwiseParallel, RowwiseParallel, parallelize_module\n"})
    CHECK(code.text.find(line) != std::string::npos);
}

TEST_CASE("plan code: what torch has no style for is named, not written", "[plan_code]") {
  const PlanCode code = parallelize_module(analysis_of("qwen3_moe", at_tp(2)));
  REQUIRE(!code.left_out.empty());
  for (const std::string& rule : code.left_out) {
    CHECK(code.text.find("\"" + rule.substr(0, rule.find(' ')) + "\"") == std::string::npos);
  }
}

TEST_CASE("plan code: DistributedConfig with expert parallelism has both plans", "[plan_code]") {
  AnalysisRequest request = at_tp(2);
  request.parallelism.ep = 2;
  const auto code = distributed_config(analysis_of("qwen3_moe", request));
  REQUIRE(code);
  CHECK(code->text.find("    tp_size=2,\n") != std::string::npos);
  CHECK(code->text.find("    ep_size=2,\n    ep_plan={\n") != std::string::npos);
}

TEST_CASE("plan code: no DistributedConfig for releases without it, no extensions in it", "[plan_code]") {
  AnalysisRequest old = at_tp(2);
  old.dialect = {4, 57, 0};
  CHECK(!distributed_config(analysis_of("llama", old)));
  const auto code = distributed_config(
      analysis_of("llama", at_tp(2, {{"model.layers.*.input_layernorm", "megatron_sequence_parallel", {}, {}}})));
  REQUIRE(code);
  REQUIRE(code->left_out.size() == 1);
  CHECK(code->text.find("megatron") == std::string::npos);
}
