// Real configurations at full size: parameters, and weights per rank.
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/analyze.h"
#include "core/architecture.h"
#include "core/config.h"
#include "core/effective_plan.h"
#include "tests/catch.hpp"
#include "tests/equivalence/recording.h"

namespace tpsim {
namespace {

const std::filesystem::path kFixtures = "tests/fixtures/oracle";

using ParameterCounts = std::map<std::string, std::map<std::string, std::int64_t>>;  // pattern -> shape -> how often

ParameterCounts recorded_counts(const Value& patterns) {
  ParameterCounts counts;
  for (const auto& [pattern, shapes] : object(patterns))
    for (const auto& [shape, count] : object(shapes)) counts[pattern][shape] = integer(count);
  return counts;
}

ParameterCounts counts_of(const Model& model) {
  ParameterCounts counts;
  for (const ParameterGroup& group : parameter_groups(model))
    counts[group.pattern][to_string(group.shape)] += group.count;
  return counts;
}

std::string difference(const ParameterCounts& real, const ParameterCounts& mine) {
  std::string lines;
  const auto add = [&](const char* side, const std::string& pattern,
                       const std::map<std::string, std::int64_t>& shapes) {
    lines += "\n  " + std::string(side) + " " + pattern;
    for (const auto& [shape, count] : shapes) lines += " " + shape + " x" + std::to_string(count);
  };
  for (const auto& [pattern, shapes] : real)
    if (mine.count(pattern) == 0 || mine.at(pattern) != shapes) add("real", pattern, shapes);
  for (const auto& [pattern, shapes] : mine)
    if (real.count(pattern) == 0 || real.at(pattern) != shapes) add("tpsim", pattern, shapes);
  return lines;
}

Model model_of(const Value& config, const Dialect& dialect) {
  auto read = read_config(to_json(config), "config.json");
  INFO(to_json(config).substr(0, 200));
  REQUIRE(read);
  auto architecture = load_architecture(read->model_type, dialect);
  INFO((architecture ? "" : architecture.error().message));
  REQUIRE(architecture);
  auto model = build_model(*architecture, *read);
  INFO((model ? "" : model.error().message));
  REQUIRE(model);
  return std::move(*model);
}

AnalysisRequest request_of(const Dialect& dialect, int tp) {
  AnalysisRequest request;
  request.dialect = dialect;
  request.parallelism.tp = tp;
  request.workload.batch = 1;
  request.workload.tokens = 16;
  return request;
}

void for_each_real_config(const std::function<void(const std::string& name, const Value& entry)>& visit) {
  const Value configs = read_json(kFixtures / "real_configs.json");
  CHECK(object(configs).size() >= 28);
  for (const auto& [name, entry] : object(configs)) visit(name, entry);
}

// ---- weights per rank from the plan's rules alone: what each strategy cuts, written down a second time
// -----------------

struct CutDimension {
  int dim = 0;
  int blocks = 1;
};

// Of a weight or bias of `rank` dimensions; 5.15 and later, parameters whose extents divide.
std::optional<CutDimension> cut_by(const std::string& strategy, bool is_bias, int rank) {
  if (strategy == "colwise" || strategy == "colwise_gather_output") return CutDimension{rank == 1 ? 0 : rank - 2};
  if (strategy == "packed_colwise") return CutDimension{rank == 1 ? 0 : rank - 2, rank == 1 ? 1 : 2};
  if (strategy == "embedding_rowwise" || strategy == "grouped_gemm") return CutDimension{0};
  if (strategy == "embedding_colwise") return CutDimension{1};
  const bool rows = strategy == "rowwise" || strategy == "rowwise_split_input" || strategy == "packed_rowwise";
  if (!rows || is_bias || rank == 1) return std::nullopt;
  return CutDimension{rank - 1, strategy == "packed_rowwise" ? 2 : 1};
}

std::string strategy_for(const EffectivePlan& plan, const std::string& pattern) {
  const std::string owner = pattern.substr(0, pattern.rfind('.'));
  std::string of_owner;
  for (const ResolvedRule& resolved : plan.rules) {
    if (resolved.rule.key == pattern) return resolved.rule.strategy;
    if (resolved.rule.key == owner) of_owner = resolved.rule.strategy;
  }
  return of_owner;
}

std::int64_t chunk_size(std::int64_t extent, int parts, int index) {
  const std::int64_t size = (extent + parts - 1) / parts;
  return std::max<std::int64_t>(0, std::min(extent, size * (index + 1)) - size * index);
}

std::int64_t bf16_bytes_on(int rank, int ranks, Shape shape, const std::optional<CutDimension>& cut) {
  if (cut) shape[cut->dim] = chunk_size(shape[cut->dim] / cut->blocks, ranks, rank) * cut->blocks;
  std::int64_t bytes = 2;
  for (const std::int64_t extent : shape) bytes *= extent;
  return bytes;
}

std::vector<std::int64_t> weights_by_rules(const ParameterCounts& parameters, const EffectivePlan& plan, int ranks) {
  std::vector<std::int64_t> bytes(static_cast<std::size_t>(ranks), 0);
  for (const auto& [pattern, shapes] : parameters)
    for (const auto& [written, count] : shapes) {
      const Shape shape = *parse_shape(written);
      const auto cut = cut_by(strategy_for(plan, pattern), pattern.ends_with("bias"), shape.rank());
      for (int r = 0; r < ranks; ++r) bytes[static_cast<std::size_t>(r)] += count * bf16_bytes_on(r, ranks, shape, cut);
    }
  return bytes;
}

std::vector<std::int64_t> weights_of(const Analysis& analysis) {
  std::vector<std::int64_t> bytes;
  for (const RankMemory& memory : analysis.memory) bytes.push_back(memory.weights);
  return bytes;
}

}  // namespace

TEST_CASE("parameters: names, shapes and counts of real configurations are the real ones", "[parameters][oracle]") {
  for_each_real_config([](const std::string& name, const Value& entry) {
    const Model model = model_of(member(entry, "config"), kNewestDialect);
    INFO(name << difference(recorded_counts(member(entry, "parameters")), counts_of(model)));
    CHECK(recorded_counts(member(entry, "parameters")) == counts_of(model));
    CHECK(parameter_count(model) == integer(member(entry, "count")));
  });
}

TEST_CASE("parameters: the default configuration of every recorded class has the real ones", "[parameters][oracle]") {
  int checked = 0;
  for (const auto& file : json_files(kFixtures)) {
    const Value recording = read_json(file);
    const Value* defaults = is_recording(recording) ? find(object(recording), "default") : nullptr;
    if (defaults == nullptr) continue;
    const Dialect dialect = *parse_dialect(text(member(recording, "transformers")));
    const Model model = model_of(member(*defaults, "config"), dialect);
    INFO(file << difference(recorded_counts(member(*defaults, "parameters")), counts_of(model)));
    CHECK(recorded_counts(member(*defaults, "parameters")) == counts_of(model));
    CHECK(parameter_count(model) == integer(member(*defaults, "count")));
    ++checked;
  }
  CHECK(checked >= 50);
}

TEST_CASE("memory: weights per rank of Llama-3.1-70B by dialect", "[memory]") {
  struct Case {
    Dialect dialect;
    std::vector<std::int64_t> bytes;  // at TP 1, 2, 4, 8; 0 = not stated
  };
  // q, k, v, gate, up colwise; o, down rowwise; the head: from 5.14 on; the embedding: from 5.21 on.
  const std::vector<Case> cases = {
      {{5, 10, 0}, {141107412992, 0, 38430851072, 0}},
      {{5, 15, 0}, {141107412992, 71605698560, 36854841344, 19479412736}},
      {{5, 23, 0}, {141107412992, 70555025408, 35278831616, 17640734720}},
  };
  const Value configs = read_json(kFixtures / "real_configs.json");
  const Value& config = member(member(configs, "meta-llama/Llama-3.1-70B"), "config");
  for (const Case& expected : cases) {
    const Model model = model_of(config, expected.dialect);
    for (int i = 0; i < 4; ++i) {
      const auto analysis = analyze(model, request_of(expected.dialect, 1 << i));
      REQUIRE(analysis);
      INFO(to_string(expected.dialect) << " TP " << (1 << i));
      CHECK(analysis->verdict == Verdict::right);
      CHECK(analysis->kv_bytes_per_token == 327680);
      if (expected.bytes[static_cast<std::size_t>(i)] == 0) continue;
      for (const RankMemory& memory : analysis->memory)
        CHECK(memory.weights == expected.bytes[static_cast<std::size_t>(i)]);
    }
  }
}

TEST_CASE("memory: weights per rank follow from the rules of the plan", "[memory][oracle]") {
  int compared = 0;
  for_each_real_config([&](const std::string& name, const Value& entry) {
    for (const Dialect& dialect : {Dialect{5, 15, 0}, kNewestDialect}) {
      const Model model = model_of(member(entry, "config"), dialect);
      const ParameterCounts parameters = recorded_counts(member(entry, "parameters"));
      for (const int tp : {1, 2, 4, 8}) {
        const auto request = request_of(dialect, tp);
        const auto analysis = analyze(model, request);
        REQUIRE(analysis);
        INFO(name << " " << to_string(dialect) << " TP " << tp);
        if (analysis->verdict == Verdict::error) continue;
        CHECK(weights_of(*analysis) == weights_by_rules(parameters, effective_plan(model, request), tp));
        ++compared;
      }
    }
  });
  CHECK(compared >= 150);
}

TEST_CASE("memory: the ranks together hold every sharded byte once and every replicated one each", "[memory][oracle]") {
  for_each_real_config([](const std::string& name, const Value& entry) {
    const Model model = model_of(member(entry, "config"), kNewestDialect);
    const std::int64_t whole = 2 * integer(member(entry, "count"));
    for (const int tp : {2, 3, 4, 8}) {
      const auto analysis = analyze(model, request_of(kNewestDialect, tp));
      REQUIRE(analysis);
      INFO(name << " TP " << tp);
      std::int64_t held = 0, replicated = analysis->memory.front().weights_replicated;
      for (const RankMemory& memory : analysis->memory) {
        held += memory.weights;
        CHECK(memory.weights_replicated == replicated);
      }
      CHECK(held == whole + (tp - 1) * replicated);
    }
  });
}

}  // namespace tpsim
