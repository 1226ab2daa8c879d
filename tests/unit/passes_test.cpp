#include "sim/passes.h"

#include "cli/size_result.h"
#include "tests/catch.hpp"

using namespace tpsim;
using namespace tpsim::cli;

namespace {

Scenario scenario_of(const char* model, const char* hardware, const Lengths& lengths) {
  Options options;
  options.model = model;
  options.hardware = hardware;
  auto scenario = load_scenario(options);
  REQUIRE(scenario);
  return with_lengths(std::move(*scenario), lengths);
}

Analysis analysed(const Scenario& s, int tp, std::int64_t tokens, std::int64_t past) {
  AnalysisRequest request = request_for(s, tp, Pass::prefill);
  request.workload.tokens = tokens;
  request.workload.past = past;
  auto analysis = analyze(s.model(), request);
  REQUIRE(analysis);
  return std::move(*analysis);
}

double one_by_one(Predictor& predictor, const Analysis& decode, std::int64_t batch, std::int64_t first,
                  std::int64_t last) {
  double sum = 0;
  for (std::int64_t context = first; context <= last; ++context) {
    Load load = load_of(decode.workload);
    load.rows = load.head_rows = batch;
    load.groups = {{batch, 1, context}};
    sum += predictor.total(decode, load).count();
  }
  return sum;
}

void check_steps(const char* model, const char* hardware, std::int64_t batch, std::int64_t first, std::int64_t last) {
  INFO(model << " on " << hardware << ", contexts " << first << " to " << last);
  const Scenario s = scenario_of(model, hardware, {batch, 1, last});
  const Analysis decode = analysed(s, 2, 1, last - 1);
  Predictor predictor(s.hardware);
  const double few = predict_steps(predictor, decode, batch, first, last).total.count();
  CHECK(few == Approx(one_by_one(predictor, decode, batch, first, last)).epsilon(1e-4));
}

}  // namespace

TEST_CASE("steps: few predictions add up to all of them", "[passes]") {
  for (const char* hardware : {"h100-sxm", "a100-sxm", "mi300x"}) {
    check_steps("llama-3.1-8b", hardware, 8, 2049, 2560);
    check_steps("llama-3.1-8b", hardware, 1, 2, 40);
    check_steps("llama-3.1-8b", hardware, 64, 100, 300);
    check_steps("llama-3.1-8b", hardware, 16, 129, 256);
    check_steps("google/gemma-2-9b", hardware, 4, 3000, 9000);  // a window of 4096 ends in between
  }
  check_steps("llama-3.1-8b", "h100-sxm", 32, 1, 40'000);
  check_steps("deepseek-ai/DeepSeek-V3", "h200", 32, 500, 2500);
}

TEST_CASE("steps: one step, and none", "[passes]") {
  const Scenario s = scenario_of("llama-3.1-8b", "h100-sxm", {8, 1, 4096});
  const Analysis decode = analysed(s, 2, 1, 4095);
  Predictor predictor(s.hardware);
  const Prediction one = predict_steps(predictor, decode, 8, 4096, 4096), direct = predictor.predict(decode);
  CHECK(one.total == direct.total);
  CHECK(one.band == Approx(direct.band));
  CHECK(one.source == direct.source);
  CHECK(one.kernels == direct.kernels);
  CHECK(predict_steps(predictor, decode, 8, 4097, 4096).total.count() == 0);
}

TEST_CASE("chunks: each is the pass that an analysis of it alone gives", "[passes]") {
  for (const char* model : {"llama-3.1-8b", "google/gemma-2-9b", "Qwen/Qwen3-30B-A3B"}) {
    INFO(model);
    const Scenario s = scenario_of(model, "h100-sxm", {2, 9000, 9000, 0, 1024});
    const ChunkedPrompt chunks = s.chunks();
    CHECK(chunks.passes() == 9);
    CHECK(chunks.length(8) == 9000 - 8 * 1024);
    Predictor predictor(s.hardware);
    auto whole = analyze(s.model(), request_for(s, 2, Pass::prefill));
    REQUIRE(whole);
    CHECK(whole->workload.past == 7 * 1024);
    double sum = 0;
    for (std::int64_t pass = 0; pass < chunks.passes(); ++pass) {
      const Analysis alone = analysed(s, 2, chunks.length(pass), chunks.cached(pass));
      const double own = predictor.predict(alone).total.count();
      CHECK(predict_chunk(predictor, *whole, chunks, pass).total.count() == Approx(own).epsilon(pass < 8 ? 1e-9 : 1e-3));
      sum += own;
    }
    CHECK(predict_chunks(predictor, *whole, chunks).total.count() == Approx(sum).epsilon(1e-4));
  }
}

TEST_CASE("chunks: many of them add up from few", "[passes]") {
  const Scenario s = scenario_of("google/gemma-2-9b", "a100-sxm", {1, 32'000, 32'000, 0, 48});
  Predictor predictor(s.hardware);
  const auto whole = analyze(s.model(), request_for(s, 4, Pass::prefill));
  REQUIRE(whole);
  double sum = 0;
  for (std::int64_t pass = 0; pass < s.chunks().passes(); ++pass)
    sum += predict_chunk(predictor, *whole, s.chunks(), pass).total.count();
  CHECK(predict_chunks(predictor, *whole, s.chunks()).total.count() == Approx(sum).epsilon(1e-4));
}

TEST_CASE("chunks: the peak is that of the worst chunk; every chunk's is exact", "[passes]") {
  const Scenario s = scenario_of("llama-3.1-8b", "h100-sxm", {2, 3000, 4096, 0, 512});
  const auto size = size_up(s, 2, {});
  REQUIRE(size);
  const auto chunks = chunk_results(s, *size);
  REQUIRE(chunks);
  REQUIRE(chunks->size() == 6);
  std::int64_t most = 0;
  double sum = 0;
  for (const ChunkResult& chunk : *chunks) {
    const RankMemory memory = analysed(s, 2, chunk.tokens, chunk.cached).memory.front();
    CHECK(chunk.activation_bytes == memory.activations);
    CHECK(chunk.kv_bytes == memory.kv_cache);
    most = std::max(most, chunk.activation_bytes);
    sum += chunk.time.total.count();
  }
  CHECK(size->memory.activations == most);
  CHECK(most < size_up(with_lengths(s, {2, 3000, 4096}), 2, {})->memory.activations);
  CHECK(size->prefill->time.total.count() == Approx(sum));
  CHECK(chunk_results(with_lengths(s, {1, 200'000, 200'000, 0, 1}), *size).error().message.find("65,536") !=
        std::string::npos);
}

TEST_CASE("generation: prefill gives the first token, a step each of the others", "[passes]") {
  const Scenario s = scenario_of("llama-3.1-8b", "h100-sxm", {4, 500, 700, 200, 0});
  const auto baseline = measure_baseline(s);
  REQUIRE(baseline);
  const auto size = size_up(s, 2, *baseline);
  REQUIRE((size && size->generation));
  const cli::Generation& g = *size->generation;
  Predictor predictor(s.hardware);
  const double steps = one_by_one(predictor, size->decode->analysis, 4, 501, 699);
  CHECK(g.first_token == size->prefill->time.total);
  CHECK(g.per_token.count() == Approx(steps / 199).epsilon(1e-4));
  CHECK(g.total.total.count() == Approx(g.first_token.count() + steps).epsilon(1e-4));
  CHECK(g.tokens_per_s == Approx(4 * 200 / g.total.total.count()));
  CHECK(g.total.low < g.total.total);
  CHECK(g.speedup > 1);
  const Scenario single = with_lengths(s, {4, 500, 501, 1, 0});
  const auto first = size_up(single, 2, *measure_baseline(single));
  REQUIRE((first && first->generation));
  CHECK(first->generation->total.total == first->prefill->time.total);
  CHECK(first->generation->per_token.count() == 0);
}
