// Repairs as fixes of diagnostics.
#include <algorithm>
#include <map>

#include "core/lint_facts.h"
#include "core/plan_keys.h"
#include "core/repair.h"
#include "core/repair_search.h"

namespace tpsim {
namespace {

constexpr int kLargestSize = 16;

bool is_about_sizes(const Diagnostic& d) { return d.code == "TP102" || d.code == "TP103" || d.code == "TP109"; }

std::string listed_sizes(const std::vector<int>& sizes) {
  std::string out;
  for (const int n : sizes) out += (out.empty() ? "" : " ") + std::to_string(n);
  return out;
}

// The sizes that work, as flags.
void add_sizes(const Model& model, const AnalysisRequest& request, Diagnostic& d) {
  const std::vector<int> valid = valid_tp_sizes(model, request, kLargestSize);
  std::string flags;
  for (const int n : valid)
    if (n > 1 && n != request.parallelism.tp) flags += (flags.empty() ? "--tp " : " or --tp ") + std::to_string(n);
  d.details.push_back("TP sizes up to " + std::to_string(kLargestSize) +
                      " that work with this plan: " + listed_sizes(valid));
  if (!flags.empty()) d.fixes.push_back({flags, {}});
}

std::string size_text(std::int64_t bytes) {
  constexpr std::int64_t mebi = 1 << 20;
  return bytes >= mebi ? std::to_string((bytes + mebi / 2) / mebi) + " MiB" : std::to_string(bytes) + " bytes";
}

std::int64_t heaviest_weights(const Analysis& a) {
  return a.memory.empty() ? 0 : a.memory[static_cast<std::size_t>(heaviest_rank(a))].weights;
}

// Whole key/value heads on several ranks, for a runtime that can.
void add_kv_replication(const Model& model, const AnalysisRequest& request, const Analysis& a, Diagnostic& d) {
  const int ranks = request.parallelism.tp;
  if (d.code != "TP102" || model.kv_heads == 0 || model.kv_heads >= ranks) return;
  AnalysisRequest extended = request;
  extended.dialect.extensions = true;
  extended.plan = editable_plan(model, request);
  bool found = false;
  for (const ShardSpec& s : a.shards) {
    const std::string module = s.pattern.substr(0, s.pattern.rfind('.'));
    const bool kv = module.ends_with(".k_proj") || module.ends_with(".v_proj");
    if (!kv || s.shape.rank() != 2 || s.rule < 0) continue;
    found = true;
    extended.plan.plan = apply_patch(extended.plan.plan,
                                     {{"replace", written_key(model, request, generalised(module)), "kv_replicate"}});
  }
  const auto analysis = analyze(model, extended);
  if (!found || !analysis || analysis->verdict != Verdict::right) return;
  const std::int64_t more = heaviest_weights(*analysis) - heaviest_weights(a);
  d.fixes.push_back({"--kv-replicate (each key/value head on " + std::to_string(ranks / model.kv_heads) + " ranks, " +
                         size_text(more) + " more per rank; needs a runtime that supports it)",
                     {}});
}

// An edit of a further error is kept where that error is gone after it and no other has come.
bool mends(const Model& model, const AnalysisRequest& request, const Analysis& before, const Diagnostic& d,
           const Fix& fix) {
  AnalysisRequest after = request;
  after.plan = editable_plan(model, request);
  after.plan.plan = apply_patch(after.plan.plan, fix.patch);
  const auto analysis = analyze(model, after);
  if (!analysis) return false;
  const auto errors = [](const Analysis& a) {
    return std::count_if(a.diagnostics.begin(), a.diagnostics.end(),
                         [](const Diagnostic& x) { return x.severity == Severity::error; });
  };
  const bool gone = std::none_of(analysis->diagnostics.begin(), analysis->diagnostics.end(), [&](const Diagnostic& x) {
    return x.severity == Severity::error && x.code == d.code && x.where == d.where;
  });
  return gone && errors(*analysis) <= errors(before);
}

// Of errors behind the first. What is not tried is not offered: the work is bounded by the size of the plan.
void drop_useless_edits(const Model& model, const AnalysisRequest& request, Analysis& a,
                        std::vector<Diagnostic>::iterator begin) {
  int runs_left = most_runs(editable_plan(model, request).plan) / 4;
  for (auto d = begin; d != a.diagnostics.end() && d->severity == Severity::error; ++d) {
    bool is_cut = false;
    std::erase_if(d->fixes, [&](const Fix& fix) {
      if (fix.patch.empty()) return false;
      is_cut = is_cut || runs_left <= 0;
      return is_cut || (--runs_left, !mends(model, request, a, *d, fix));
    });
    if (is_cut) d->details.push_back("edits for it were not tried: mend the errors above first");
  }
}

void attach_to_errors(const Model& model, const AnalysisRequest& request, Analysis& a) {
  const auto first = std::find_if(a.diagnostics.begin(), a.diagnostics.end(),
                                  [](const Diagnostic& d) { return d.severity == Severity::error; });
  if (first == a.diagnostics.end()) return;
  drop_useless_edits(model, request, a, first + 1);
  RepairSearch search = search_repairs(model, request, a);
  std::vector<Fix>& fixes = search.fixes;
  const bool unrepaired = fixes.empty();
  for (Fix& fix : first->fixes)
    if (fix.patch.empty()) fixes.push_back(std::move(fix));
  first->fixes = std::move(fixes);
  if (search.is_cut)
    first->details.push_back("the search for repairs ended after " + std::to_string(search.runs) +
                             " trials; there may be a smaller one");
  if (is_about_sizes(*first) || unrepaired) add_sizes(model, request, *first);
  add_kv_replication(model, request, a, *first);
}

// TP205.

struct GatherAndSplit {
  std::vector<Rule> gathers, splits;
};

// Rules of one block that gather, and rules of the same block that cut again.
std::map<std::string, GatherAndSplit> candidates(const Analysis& a) {
  std::map<std::string, GatherAndSplit> blocks;
  for (const ResolvedRule& r : a.rules) {
    if (r.modules == 0) continue;
    const std::string block = r.rule.key.substr(0, std::min(r.rule.key.size(), r.rule.key.rfind('.')));
    const std::string& s = r.rule.strategy;
    if (s == "colwise_gather_output" || s == "colwise_rep") blocks[block].gathers.push_back(r.rule);
    if (s == "rowwise_split_input" || s == "rowwise_rep") blocks[block].splits.push_back(r.rule);
  }
  std::erase_if(blocks, [](const auto& b) { return b.second.gathers.empty() || b.second.splits.empty(); });
  return blocks;
}

std::int64_t gathered_bytes(const Analysis& a, const std::vector<Rule>& rules) {
  std::int64_t bytes = 0;
  for (const CollectiveEvent& event : events(a))
    for (const Rule& rule : rules)
      if (event.op == CollectiveOp::all_gather && generalised(event.module) == rule.key) bytes += event.payload_bytes;
  return bytes;
}

bool has(const Analysis& a, const char* code) {
  return std::any_of(a.diagnostics.begin(), a.diagnostics.end(), [&](const Diagnostic& d) { return d.code == code; });
}

// The collectives are of no use where the plan stays right without them.
void add_useless_gathers(const Model& model, const AnalysisRequest& request, Analysis& a) {
  for (const auto& [block, found] : candidates(a)) {
    Fix fix{"colwise and rowwise: keep the tensor split", {}};
    std::vector<std::string> gathers, splits;
    const PlanChoice plan = editable_plan(model, request);
    const auto set = [&](const Rule& rule, const char* strategy, std::vector<std::string>& names) {
      const std::string key = written_key(model, request, rule.key);
      fix.patch.push_back({plan.plan.find(key) != nullptr ? "replace" : "add", key, strategy});
      names.push_back(short_name(rule.key));
    };
    for (const Rule& rule : found.gathers) set(rule, "colwise", gathers);
    for (const Rule& rule : found.splits) set(rule, "rowwise", splits);
    AnalysisRequest lean = request;
    lean.plan = plan;
    lean.plan.plan = apply_patch(plan.plan, fix.patch);
    const auto analysis = analyze(model, lean);
    if (!analysis || analysis->verdict != Verdict::right) continue;
    if (has(*analysis, "TP214") && !has(a, "TP214")) continue;  // gathering keeps gradients complete
    Diagnostic d;
    d.code = "TP205";
    d.severity = Severity::warning;
    d.where = found.gathers.front().key;
    d.rule = found.gathers.front().key + ": " + found.gathers.front().strategy;
    d.position = found.gathers.front().strategy_position;
    d.message = listed(gathers) + " " + is_or_are(gathers.size()) + " gathered, and " + listed(splits) +
                " cuts the result again: nothing in between needs the whole";
    d.details.push_back(std::to_string(gathered_bytes(a, found.gathers)) +
                        " bytes of all-gathers in a forward pass can go");
    d.fixes.push_back(std::move(fix));
    a.diagnostics.push_back(std::move(d));
  }
  std::stable_sort(a.diagnostics.begin(), a.diagnostics.end(),
                   [](const Diagnostic& x, const Diagnostic& y) { return x.severity < y.severity; });
}

}  // namespace

void attach_repairs(const Model& model, const AnalysisRequest& request, Analysis& analysis) {
  if (analysis.verdict == Verdict::wrong || analysis.verdict == Verdict::error)
    attach_to_errors(model, request, analysis);
  if (analysis.verdict == Verdict::right && analysis.ranks() > 1) add_useless_gathers(model, request, analysis);
}

}  // namespace tpsim
