#include "cli/size_result.h"

#include <algorithm>

#include "cli/rank_memory_line.h"

namespace tpsim::cli {
namespace {

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

PhaseResult rated(Analysis analysis, Prediction time, Seconds baseline) {
  PhaseResult result;
  result.time = std::move(time);
  result.speedup = ratio(baseline.count(), result.time.total.count());
  result.efficiency = ratio(result.speedup, analysis.ranks());
  result.comm_share = ratio(result.time.communication.count(), result.time.total.count());
  result.analysis = std::move(analysis);
  return result;
}

PhaseResult prefill_result(const Scenario& s, Analysis analysis, Predictor& predictor, Seconds baseline) {
  Prediction one = predictor.predict(analysis);
  if (s.chunks().passes() == 1) return rated(std::move(analysis), std::move(one), baseline);
  Prediction all = predict_chunks(predictor, analysis, s.chunks());
  all.operations = std::move(one.operations);
  all.collectives = std::move(one.collectives);
  return rated(std::move(analysis), std::move(all), baseline);
}

Seconds prefill_total(const Scenario& s, const Analysis& analysis, Predictor& predictor) {
  return s.chunks().passes() == 1 ? predictor.total(analysis) : predict_chunks(predictor, analysis, s.chunks()).total;
}

// Steps after the first token: each sees the prompt and what was generated before it.
Prediction steps_of(const Scenario& s, const Analysis& decode, Predictor& predictor) {
  return predict_steps(predictor, decode, s.batch, s.prompt + 1, s.prompt + s.generate - 1);
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

// No tensor of a chunk is smaller than that of a chunk before, so the last whole one and what is left have the peak.
Result<void> add_rest(const Scenario& s, const AnalysisRequest& rest, Analysis& prefill) {
  if (s.prompt % s.chunks().chunk == 0) return {};
  const auto analysis = analyze(s.model(), rest);
  if (!analysis) return analysis.error();
  for (std::size_t r = 0; r < prefill.memory.size() && r < analysis->memory.size(); ++r)
    for (const auto field : {&RankMemory::activations, &RankMemory::logits, &RankMemory::communication})
      prefill.memory[r].*field = std::max(prefill.memory[r].*field, analysis->memory[r].*field);
  return {};
}

std::int64_t of_heaviest(const std::vector<RankMemory>& ranks, std::int64_t RankMemory::*field) {
  std::int64_t most = 0;
  for (const RankMemory& rank : ranks) most = std::max(most, rank.*field);
  return most;
}

}  // namespace

Result<Baseline> measure_baseline(const Scenario& s) {
  const auto prefill = analyze(s.model(), baseline_request(s, Pass::prefill));
  if (!prefill) return prefill.error();
  const auto decode = analyze(s.model(), baseline_request(s, Pass::decode));
  if (!decode) return decode.error();
  Predictor predictor(s.hardware, {s.stack, {}});
  Baseline baseline{prefill_total(s, *prefill, predictor), predictor.total(*decode), {}};
  if (s.generates()) baseline.steps = steps_of(s, *decode, predictor).total;
  return baseline;
}

Generation generation_of(std::int64_t batch, std::int64_t tokens, const Prediction& prefill, const Prediction& steps,
                         const Baseline& baseline) {
  PassSum sum;
  sum.add(prefill, 1);
  sum.add(steps, 1);
  Generation g;
  g.total = sum.sum();
  g.first_token = prefill.total;
  if (tokens > 1) g.per_token = steps.total / static_cast<double>(tokens - 1);
  g.tokens_per_s = ratio(static_cast<double>(batch * tokens), g.total.total.count());
  g.speedup = ratio((baseline.prefill + baseline.steps).count(), g.total.total.count());
  return g;
}

Result<std::vector<RankMemory>> pass_memory(const Scenario& s, int tp, Pass pass) {
  auto analysis = analyze(s.model(), request_for(s, tp, pass));
  if (!analysis) return analysis.error();
  if (pass == Pass::prefill)
    if (auto added = add_rest(s, request_for(s, tp, Pass::rest), *analysis); !added) return added.error();
  return std::move(analysis->memory);
}

Result<SizeResult> size_up(const Scenario& s, int tp, const Baseline& baseline) {
  auto forward = analyze(s.model(), request_for(s, tp, Pass::forward));
  if (!forward) return forward.error();
  auto prefill = analyze(s.model(), request_for(s, tp, Pass::prefill));
  if (!prefill) return prefill.error();
  if (auto added = add_rest(s, request_for(s, tp, Pass::rest), *prefill); !added) return added.error();
  auto decode = analyze(s.model(), request_for(s, tp, Pass::decode));
  if (!decode) return decode.error();
  SizeResult result;
  result.tp = tp;
  result.forward = std::move(*forward);
  result.memory = memory_fit(*prefill, heaviest_cache(*decode), s.hardware);
  result.ranks = combined_memory(*prefill, *decode);
  if (!result.runs()) return result;
  Predictor predictor(s.hardware, {s.stack, {}});
  const Prediction steps = s.generates() ? steps_of(s, *decode, predictor) : Prediction{};
  if (s.phase != Phase::decode) result.prefill = prefill_result(s, std::move(*prefill), predictor, baseline.prefill);
  if (s.phase != Phase::prefill) {
    Prediction step = predictor.predict(*decode);
    result.decode = rated(std::move(*decode), std::move(step), baseline.decode);
  }
  if (s.generates()) result.generation = generation_of(s.batch, s.generate, result.prefill->time, steps, baseline);
  return result;
}

double tokens_per_second(const Scenario& s, const PhaseResult& decode) {
  return ratio(static_cast<double>(s.batch), decode.time.total.count());
}

Result<std::vector<ChunkResult>> chunk_results(const Scenario& s, const SizeResult& size) {
  const ChunkedPrompt chunks = s.chunks();
  if (chunks.passes() > kMostChunks) {
    const std::int64_t least = (s.prompt + kMostChunks - 1) / kMostChunks;
    Error error =
        usage_error("--detail chunks lists at most 65,536 chunks, these are " + std::to_string(chunks.passes()));
    error.fixes = {"--chunk " + std::to_string(least)};
    return error;
  }
  std::vector<ChunkResult> results;
  if (!size.prefill) return results;
  AnalysisRequest request = request_for(s, size.tp, Pass::prefill);
  const auto memory_of = [&](std::int64_t pass) -> Result<std::vector<RankMemory>> {
    request.workload.tokens = chunks.length(pass - 1);
    request.workload.past = chunks.cached(pass - 1);
    auto analysis = analyze(s.model(), request);
    if (!analysis) return analysis.error();
    return std::move(analysis->memory);
  };
  const std::int64_t whole = chunks.tokens / chunks.chunk;
  const auto line = RankMemoryLine::of(whole, memory_of);
  if (!line) return line.error();
  Predictor predictor(s.hardware, {s.stack, {}});
  for (std::int64_t pass = 0; pass < chunks.passes(); ++pass) {
    const auto memory = pass < whole ? Result<std::vector<RankMemory>>(line->at(pass + 1)) : memory_of(pass + 1);
    if (!memory) return memory.error();
    results.push_back({chunks.length(pass), chunks.cached(pass),
                       predict_chunk(predictor, size.prefill->analysis, chunks, pass),
                       of_heaviest(*memory, &RankMemory::activations), of_heaviest(*memory, &RankMemory::kv_cache)});
  }
  return results;
}

}  // namespace tpsim::cli
