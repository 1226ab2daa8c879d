#include "cli/size_result.h"

namespace tpsim::cli {
namespace {

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

PhaseResult timed(Analysis analysis, Predictor& predictor, Seconds baseline) {
  PhaseResult result;
  result.time = predictor.predict(analysis);
  result.speedup = ratio(baseline.count(), result.time.total.count());
  result.efficiency = ratio(result.speedup, analysis.ranks());
  result.comm_share = ratio(result.time.communication.count(), result.time.total.count());
  result.analysis = std::move(analysis);
  return result;
}

std::vector<RankMemory> combined_memory(const Analysis& prefill, const Analysis& decode) {
  std::vector<RankMemory> ranks = prefill.memory;
  for (std::size_t r = 0; r < ranks.size() && r < decode.memory.size(); ++r)
    ranks[r].kv_cache = decode.memory[r].kv_cache;
  return ranks;
}

std::int64_t heaviest_cache(const Analysis& decode) {
  return decode.memory.empty() ? 0 : decode.memory[static_cast<std::size_t>(heaviest_rank(decode))].kv_cache;
}

}  // namespace

Result<Baseline> measure_baseline(const Scenario& s) {
  const auto prefill = analyze(s.model(), baseline_request(s, Pass::prefill));
  if (!prefill) return prefill.error();
  const auto decode = analyze(s.model(), baseline_request(s, Pass::decode));
  if (!decode) return decode.error();
  Predictor predictor(s.hardware, {s.stack, {}});
  return Baseline{predictor.total(*prefill), predictor.total(*decode)};
}

Result<SizeResult> size_up(const Scenario& s, int tp, const Baseline& baseline) {
  auto forward = analyze(s.model(), request_for(s, tp, Pass::forward));
  if (!forward) return forward.error();
  auto prefill = analyze(s.model(), request_for(s, tp, Pass::prefill));
  if (!prefill) return prefill.error();
  auto decode = analyze(s.model(), request_for(s, tp, Pass::decode));
  if (!decode) return decode.error();
  SizeResult result;
  result.tp = tp;
  result.forward = std::move(*forward);
  result.memory = memory_fit(*prefill, heaviest_cache(*decode), s.hardware);
  result.ranks = combined_memory(*prefill, *decode);
  if (!result.runs()) return result;
  Predictor predictor(s.hardware, {s.stack, {}});
  if (s.phase != Phase::decode) result.prefill = timed(std::move(*prefill), predictor, baseline.prefill);
  if (s.phase != Phase::prefill) result.decode = timed(std::move(*decode), predictor, baseline.decode);
  return result;
}

double tokens_per_second(const Scenario& s, const PhaseResult& decode) {
  return ratio(static_cast<double>(s.batch), decode.time.total.count());
}

}  // namespace tpsim::cli
