// Time of an analysis and of its stages. Figures are of this machine; medians of many runs, and the fastest.
#include <cstdio>
#include <string>

#include "core/analyze.h"
#include "core/architecture.h"
#include "core/effective_plan.h"
#include "core/interpreter.h"
#include "core/model_source.h"
#include "core/placed_model.h"
#include "core/shard_list.h"
#include "tests/bench/measure.h"

namespace tpsim {
namespace {

void bench(const char* id, int tp, double budget_us) {
  const auto source = open_model(id);
  if (!source || !source->config) {
    std::printf("%s: no such configuration\n", id);
    return;
  }
  const Config& config = *source->config;
  const auto architecture = load_architecture(config.model_type, kNewestDialect);
  const Model model = *build_model(*architecture, config);
  AnalysisRequest request;
  request.parallelism.tp = tp;
  std::printf("%s, TP %d\n", id, tp);
  measure("read the config", 0, [&] { (void)read_config(source->text, "config.json"); });
  measure("load the description", 0, [&] { (void)load_architecture(config.model_type, kNewestDialect); });
  measure("build the model", 0, [&] { (void)build_model(*architecture, config); });
  measure("full analysis from a built model", budget_us, [&] { (void)analyze(model, request); });
  measure("full analysis from a parsed config and a loaded description", budget_us,
          [&] { (void)analyze(*build_model(*architecture, config), request); });
  measure("  plan in effect", 0, [&] { (void)effective_plan(model, request); });
  const EffectivePlan plan = effective_plan(model, request);
  const auto machine = [&] { return Machine(tp, request.dialect, request.workload); };
  measure("  rules and parameters placed", 0, [&] {
    Machine m = machine();
    (void)place_model(m, model, plan, request);
  });
  Machine m = machine();
  const PlacedModel placed = place_model(m, model, plan, request);
  measure("  shards listed", 0, [&] { (void)list_shards(m, model, placed, request); });
  measure("  placed and forward run", 0, [&] {
    Machine fresh = machine();
    const PlacedModel again = place_model(fresh, model, plan, request);
    (void)run_forward(fresh, model, again, request);
  });
}

}  // namespace
}  // namespace tpsim

int main() {
  std::puts("       median        fastest       budget");
  tpsim::bench("meta-llama/Llama-3.1-70B", 8, 200);
  tpsim::bench("deepseek-ai/DeepSeek-V3", 8, 2000);
}
