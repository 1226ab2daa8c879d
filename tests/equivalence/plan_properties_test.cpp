// What holds for every plan, right or wrong, on every model.
#include <algorithm>
#include <random>
#include <sstream>

#include "core/analyze.h"
#include "core/effective_plan.h"
#include "core/module_names.h"
#include "core/strategy.h"
#include "tests/catch.hpp"
#include "tests/tiny_model.h"

namespace tpsim {
namespace {

const std::vector<std::string> kTypes = {"llama",      "qwen3",   "gemma2",    "phi3",        "gpt_neox",
                                         "starcoder2", "mixtral", "qwen3_moe", "deepseek_v3", "gpt_oss"};
const std::vector<Dialect> kDialects = {
    {5, 0, 0}, {5, 10, 0}, {5, 15, 0}, {5, 19, 0}, kNewestDialect};  // that take a dictionary

class Draw {
public:
  explicit Draw(unsigned seed) : bits_(seed) {}
  std::size_t below(std::size_t n) { return bits_() % n; }
  template <class T>
  const T& of(const std::vector<T>& from) {
    return from[below(from.size())];
  }

private:
  std::mt19937 bits_;
};

// A plan that the release's loader takes: known names, known strategies, no key twice; whether it works is another
// matter.
Plan random_plan(const Model& model, const Dialect& dialect, Draw& draw) {
  const std::vector<std::string> keys = sorted_patterns(module_names(model));
  const std::vector<std::string_view> strategies = strategy_names(dialect);
  Plan plan;
  const std::size_t rules = 1 + draw.below(6);
  while (plan.rules.size() < rules) {
    const std::string key = draw.of(keys);
    if (plan.find(key) == nullptr) plan.rules.push_back({key, std::string(draw.of(strategies)), {}, {}});
  }
  return plan;
}

// The shipped plan, with a rule dropped or given another strategy, or as it is.
Plan mutated_plan(const Model& model, const AnalysisRequest& request, Draw& draw) {
  Plan plan;
  for (const ResolvedRule& rule : effective_plan(model, request).rules) plan.rules.push_back(rule.rule);
  if (plan.rules.empty()) return random_plan(model, request.dialect, draw);
  const std::size_t at = draw.below(plan.rules.size());
  const std::size_t how = draw.below(3);
  if (how == 0) plan.rules.erase(plan.rules.begin() + static_cast<std::ptrdiff_t>(at));
  if (how == 1) plan.rules[at].strategy = std::string(draw.of(strategy_names(request.dialect)));
  return plan;
}

AnalysisRequest request_of(const Dialect& dialect, int tp) {
  AnalysisRequest request;
  request.dialect = dialect;
  request.parallelism.tp = tp;
  request.workload.batch = 2;
  request.workload.tokens = 12;
  return request;
}

std::string written(const Plan& plan) {
  std::string all;
  for (const Rule& rule : plan.rules) all += rule.key + ": " + rule.strategy + "; ";
  return all;
}

// Everything that an analysis says, as text.
std::string fingerprint(const Analysis& a) {
  std::ostringstream out;
  out << to_string(a.verdict) << ' ' << to_string(a.logits_shape) << '\n';
  for (const Diagnostic& d : a.diagnostics) out << d.code << d.where << d.message << d.count << '\n';
  for (const ShardSpec& s : a.shards) {
    out << s.pattern << to_string(s.placement) << s.count << s.rule;
    for (const RankShard& r : s.ranks) out << ' ' << to_string(r.shape) << ':' << r.bytes;
    out << '\n';
  }
  for (const EventList list : {EventList::forward, EventList::train_forward, EventList::backward})
    for (const CollectiveEvent& e : events(a, list))
      out << to_string(e.op) << e.module << to_string(e.input_shape) << e.payload_bytes << '\n';
  for (const Trace& trace : a.traces) {
    for (const Operation& op : trace.operations)
      out << op.name << op.module << op.flops << ' ' << op.input_bytes << '\n';
    out << trace.peak_activation_bytes << ' ' << trace.cache_bytes << ' ' << trace.graph.edges.size() << '\n';
  }
  for (const RankMemory& m : a.memory)
    out << m.weights << ' ' << m.kv_cache << ' ' << m.activations << ' ' << m.communication << '\n';
  return out.str();
}

bool is_cut(const ShardSpec& spec) { return cut_dim(spec.placement) >= 0; }

// The ranks' ranges tile [0, extent).
bool tiles(const ShardSpec& spec) {
  std::vector<Range> all;
  for (const RankShard& rank : spec.ranks) all.insert(all.end(), rank.ranges.begin(), rank.ranges.end());
  std::sort(all.begin(), all.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  std::int64_t next = 0;
  for (const Range& range : all) {
    if (range.begin != next || range.size() <= 0) return false;
    next = range.end;
  }
  return next == spec.shape[cut_dim(spec.placement)];
}

bool shape_is_of_ranges(const ShardSpec& spec, const RankShard& rank) {
  if (!is_cut(spec)) return rank.shape == spec.shape && rank.bytes == spec.bytes;
  std::int64_t extent = 0;
  for (const Range& range : rank.ranges) extent += range.size();
  return rank.shape == spec.shape.with(cut_dim(spec.placement), extent);
}

void check_shards(const Analysis& a) {
  for (const ShardSpec& spec : a.shards) {
    INFO(spec.pattern << " " << to_string(spec.placement));
    REQUIRE(spec.ranks.size() == static_cast<std::size_t>(a.ranks()));
    std::int64_t sum = 0;
    for (const RankShard& rank : spec.ranks) {
      CHECK(shape_is_of_ranges(spec, rank));
      sum += rank.bytes;
    }
    CHECK(sum == (is_cut(spec) ? spec.bytes : spec.bytes * a.ranks()));
    if (is_cut(spec)) CHECK(tiles(spec));
  }
}

std::int64_t expected_wire_bytes(const CollectiveEvent& e) {
  const std::int64_t share = (e.payload_bytes * (e.group - 1) + e.group - 1) / e.group;
  switch (e.op) {
    case CollectiveOp::all_reduce: return (2 * e.payload_bytes * (e.group - 1) + e.group - 1) / e.group;
    case CollectiveOp::all_gather:
    case CollectiveOp::reduce_scatter:
    case CollectiveOp::all_to_all: return share;
    case CollectiveOp::broadcast:
    case CollectiveOp::send: return e.payload_bytes;
  }
  return -1;
}

void check_events(const Analysis& a) {
  for (const EventList list : {EventList::forward, EventList::train_forward, EventList::backward})
    for (const CollectiveEvent& e : events(a, list)) {
      INFO(to_string(e.op) << " " << e.module << " " << to_string(e.input_shape));
      const std::int64_t own = e.numel * element_bits(e.dtype) / 8;
      CHECK(e.numel == e.input_shape.numel());
      CHECK(e.group == a.ranks());
      CHECK(e.wire_bytes_per_rank == expected_wire_bytes(e));
      if (e.op == CollectiveOp::all_reduce) CHECK(e.payload_bytes == own);
      if (e.op == CollectiveOp::all_gather && !e.data_dependent) CHECK(e.payload_bytes >= own);
    }
}

void check_rule_counts(const Analysis& a) {
  std::int64_t placed = 0, counted = 0;
  for (const ShardSpec& spec : a.shards) placed += spec.rule >= 0 ? spec.count : 0;
  for (const ResolvedRule& rule : a.rules) counted += rule.parameters;
  CHECK(placed == counted);
}

}  // namespace

TEST_CASE("properties: shards, events and memory of random plans are consistent", "[properties]") {
  Draw draw(20260);
  int of_verdict[4] = {0, 0, 0, 0};
  for (const std::string& type : kTypes)
    for (const Dialect& dialect : kDialects) {
      const Model model = tiny_model(type, "", dialect);
      for (int trial = 0; trial < 12; ++trial) {
        AnalysisRequest request = request_of(dialect, 2 + static_cast<int>(draw.below(3)));
        const Plan plan = trial % 2 == 0 ? random_plan(model, dialect, draw) : mutated_plan(model, request, draw);
        request.plan.kind = PlanKind::manual;
        request.plan.plan = plan;
        INFO(type << " " << to_string(dialect) << " TP " << request.parallelism.tp << ": "
                  << written(request.plan.plan));
        const auto analysis = analyze(model, request);
        REQUIRE(analysis);
        ++of_verdict[static_cast<int>(analysis->verdict)];
        check_shards(*analysis);
        check_events(*analysis);
        check_rule_counts(*analysis);
        CHECK(fingerprint(*analyze(model, request)) == fingerprint(*analysis));
        CHECK((analysis->verdict == Verdict::right) == analysis->verdict_reasons.empty());
      }
    }
  for (const Verdict verdict : {Verdict::right, Verdict::wrong, Verdict::error})
    CHECK(of_verdict[static_cast<int>(verdict)] >= 10);
}

TEST_CASE("properties: experts over ranks, as shipped", "[properties]") {
  int exchanged = 0;
  for (const std::string type : {"mixtral", "qwen3_moe", "deepseek_v3", "gpt_oss"})
    for (const Dialect& dialect : kDialects)
      for (const int ranks : {2, 4}) {
        const Model model = tiny_model(type, "", dialect);
        AnalysisRequest request = request_of(dialect, ranks);
        request.parallelism.ep = ranks;
        const auto analysis = analyze(model, request);
        REQUIRE(analysis);
        INFO(type << " " << to_string(dialect) << " on " << ranks);
        check_shards(*analysis);
        check_events(*analysis);
        check_rule_counts(*analysis);
        for (const CollectiveEvent& e : events(*analysis, EventList::train_forward))
          exchanged += e.op == CollectiveOp::all_to_all;
      }
  CHECK(exchanged > 0);
}

TEST_CASE("properties: on one rank every plan is right and nothing moves", "[properties]") {
  Draw draw(7);
  for (const std::string& type : kTypes) {
    const Model model = tiny_model(type);
    AnalysisRequest request = request_of(kNewestDialect, 1);
    request.plan.kind = PlanKind::manual;
    request.plan.plan = random_plan(model, kNewestDialect, draw);
    const auto analysis = analyze(model, request);
    REQUIRE(analysis);
    INFO(type << " " << written(request.plan.plan));
    CHECK(analysis->verdict == Verdict::right);
    for (const EventList list : {EventList::forward, EventList::train_forward, EventList::backward})
      CHECK(events(*analysis, list).empty());
    CHECK(analysis->memory.front().weights == 2 * analysis->parameter_count);
  }
}

TEST_CASE("properties: more ranks never need more memory each, under the shipped plan", "[properties][memory]") {
  for (const std::string& type : kTypes)
    for (const Dialect& dialect : {Dialect{5, 15, 0}, kNewestDialect}) {
      const Model model = tiny_model(type, "", dialect);
      RankMemory before{INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
      for (const int tp : {1, 2, 4}) {
        const auto analysis = analyze(model, request_of(dialect, tp));
        REQUIRE(analysis);
        INFO(type << " " << to_string(dialect) << " TP " << tp);
        if (analysis->verdict != Verdict::right) break;
        const RankMemory& now = analysis->memory.front();
        CHECK(now.weights <= before.weights);
        CHECK(now.kv_cache <= before.kv_cache);
        CHECK(now.activations <= before.activations);
        before = now;
      }
    }
}

TEST_CASE("properties: memory grows with batch, tokens and cached positions", "[properties][memory]") {
  for (const std::string& type : kTypes) {
    const Model model = tiny_model(type);
    const auto memory = [&](std::int64_t batch, std::int64_t tokens, std::int64_t past) {
      AnalysisRequest request = request_of(kNewestDialect, 2);
      request.workload.batch = batch;
      request.workload.tokens = tokens;
      request.workload.past = past;
      const auto analysis = analyze(model, request);
      REQUIRE(analysis);
      return analysis->memory.front();
    };
    INFO(type);
    const RankMemory base = memory(2, 12, 0);
    CHECK(memory(4, 12, 0).kv_cache == 2 * base.kv_cache);
    CHECK(memory(4, 12, 0).activations > base.activations);
    CHECK(memory(2, 24, 0).activations > base.activations);
    CHECK(memory(2, 12, 12).kv_cache == memory(2, 24, 0).kv_cache);
    CHECK(memory(2, 12, 12).weights == base.weights);
  }
}

}  // namespace tpsim
