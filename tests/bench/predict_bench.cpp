// Time of predictions: warm, cold, and with the analysis before them. Figures are of this machine; medians of many
// runs, and the fastest.
#include <cstdio>

#include "core/analyze.h"
#include "core/architecture.h"
#include "core/model_source.h"
#include "sim/predict.h"
#include "tests/bench/measure.h"

namespace tpsim {
namespace {

AnalysisRequest request_of(int tp, bool decode) {
  AnalysisRequest request;
  request.parallelism.tp = tp;
  request.workload.batch = 8;
  request.workload.tokens = decode ? 1 : 2048;
  request.workload.past = decode ? 4095 : 0;
  request.workload.all_logits = false;
  return request;
}

void bench(const char* id, int tp) {
  const auto source = open_model(id);
  const auto architecture = load_architecture(source->config->model_type, kNewestDialect);
  const Model model = *build_model(*architecture, *source->config);
  const Analysis prefill = *analyze(model, request_of(tp, false)), decode = *analyze(model, request_of(tp, true));
  const Hardware hardware = *load_hardware("h100-sxm");
  Predictor predictor(hardware);
  double sum = 0;
  std::printf("%s, TP %d\n", id, tp);
  measure("prefill + decode, totals, kernels known", 5,
          [&] { sum += predictor.total(prefill).count() + predictor.total(decode).count(); });
  measure("prefill + decode with all operations, kernels known", 0,
          [&] { sum += predictor.predict(prefill).total.count() + predictor.predict(decode).total.count(); });
  std::int64_t context = 1;
  measure("decode of another batch and context of the same analysis", 0, [&] {
    Load load = load_of(decode.workload);
    load.groups.front().context = context += 64;
    sum += predictor.total(decode, load).count();
  });
  measure("first prediction on a hardware (models chosen)", 0, [&] { sum += predict(decode, hardware).total.count(); });
  measure("decode analysis + prediction, kernels known", 100, [&] {
    const Analysis fresh = *analyze(model, request_of(tp, true));
    sum += predictor.total(fresh).count();
  });
  if (sum < 0) std::puts("");
}

}  // namespace
}  // namespace tpsim

int main() {
  std::puts("    median        fastest         budget");
  tpsim::bench("meta-llama/Llama-3.1-70B", 8);
}
