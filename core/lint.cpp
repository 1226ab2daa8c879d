#include "core/lint.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "core/module_names.h"
#include "core/suggest.h"

namespace tpsim {
namespace {

// A module left whole counts as large from here on: a hundredth of the weights, and at least this much.
constexpr std::int64_t kLargeReplicaBytes = 64 << 20;

std::string quoted(const std::string& s) { return "\"" + s + "\""; }

std::string generalised(const std::string& path) {
  std::string out;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const bool starts = i > 0 && path[i - 1] == '.';
    std::size_t end = i;
    while (end < path.size() && path[end] >= '0' && path[end] <= '9') ++end;
    if (starts && end > i && (end == path.size() || path[end] == '.')) {
      out += '*';
      i = end - 1;
    } else {
      out += path[i];
    }
  }
  return out;
}

void attach_rule(const Analysis& a, int rule, Diagnostic& d) {
  if (rule < 0 || rule >= static_cast<int>(a.rules.size())) return;
  const Rule& r = a.rules[static_cast<std::size_t>(rule)].rule;
  d.rule = r.key + ": " + r.strategy;
  d.position = r.strategy_position;
}

std::string sizes_text(std::int64_t a, std::int64_t b) {
  std::string out;
  const std::int64_t common = std::gcd(a, b);
  for (std::int64_t n = 1; n <= common && n <= 64; ++n)
    if (common % n == 0) out += (out.empty() ? "" : " ") + std::to_string(n);
  return out;
}

void explain_heads(const Model& model, Diagnostic& d) {
  if (model.query_heads == 0 || model.kv_heads == 0) return;
  d.details.push_back("the model has " + std::to_string(model.query_heads) + " query heads and " + std::to_string(model.kv_heads) +
                      " key/value heads; sizes that divide both: " + sizes_text(model.query_heads, model.kv_heads));
  d.fixes.push_back({"use a TP size that divides the heads: " + sizes_text(model.query_heads, model.kv_heads), {}});
}

Diagnostic from_cause(const Model& model, const Analysis& a, const Cause& cause) {
  Diagnostic d;
  d.code = cause.code;
  d.severity = Severity::error;
  d.where = generalised(cause.module);
  d.message = cause.message;
  attach_rule(a, cause.rule, d);
  d.details = cause.details;
  if (!cause.library.empty()) d.details.push_back(to_string(a.dialect) + ": " + cause.library);
  if (cause.code == "TP102" || cause.code == "TP109") explain_heads(model, d);
  if (cause.rule >= 0) {
    const Rule& rule = a.rules[static_cast<std::size_t>(cause.rule)].rule;
    d.fixes.push_back({"leave this rule out", {{"remove", rule.key, ""}}});
  }
  return d;
}

void add_decisive(const Model& model, const EffectivePlan& plan, const std::vector<Cause>& decisive, Analysis& a) {
  for (const Diagnostic& refusal : plan.refusals) {
    a.diagnostics.push_back(refusal);
    a.verdict_reasons.push_back(refusal.code);
  }
  for (const Cause& cause : decisive) {
    Diagnostic d = from_cause(model, a, cause);
    const auto known = std::find_if(a.diagnostics.begin(), a.diagnostics.end(), [&](const Diagnostic& o) {
      return o.code == d.code && o.where == d.where && o.message == d.message;
    });
    if (known != a.diagnostics.end()) {
      ++known->count;
      continue;
    }
    if (std::find(a.verdict_reasons.begin(), a.verdict_reasons.end(), d.code) == a.verdict_reasons.end())
      a.verdict_reasons.push_back(d.code);
    a.diagnostics.push_back(std::move(d));
  }
}

bool is_users(RuleOrigin origin) { return origin == RuleOrigin::user; }

void unmatched_rules(const Model& model, Analysis& a) {
  std::vector<std::string> names;
  for (const ResolvedRule& rule : a.rules) {
    if (rule.modules > 0 || rule.parameters > 0 || !rule.known_strategy) continue;
    const bool already = std::any_of(a.diagnostics.begin(), a.diagnostics.end(),
                                     [&](const Diagnostic& d) { return d.code == "TP201" && d.rule.starts_with(rule.rule.key + ":"); });
    if (already) continue;
    if (names.empty())
      for (const ModuleName& n : module_names(model)) names.push_back(n.pattern);
    Diagnostic d;
    d.code = "TP201";
    d.severity = is_users(rule.origin) ? Severity::warning : Severity::note;
    d.where = rule.rule.key;
    d.rule = rule.rule.key + ": " + rule.rule.strategy;
    d.position = rule.rule.position;
    d.message = "rule " + quoted(rule.rule.key) + " matches no module, so it shards nothing";
    if (!is_users(rule.origin)) d.details.push_back("a shipped rule for a block that this configuration does not have");
    const auto near = is_users(rule.origin) ? nearest(rule.rule.key, names, 1) : std::vector<std::string>{};
    if (!near.empty()) {
      d.details.push_back("nearest: " + quoted(near.front()));
      d.fixes.push_back({"rename the rule to " + quoted(near.front()),
                         {{"remove", rule.rule.key, ""}, {"add", near.front(), rule.rule.strategy}}});
    }
    d.fixes.push_back({"remove the rule", {{"remove", rule.rule.key, ""}}});
    a.diagnostics.push_back(std::move(d));
  }
}

// 5.0 - 5.15: weights are matched by an unanchored expression, hooks exactly.
void one_sided_rules(Analysis& a) {
  if (a.dialect.below(5, 0) || a.dialect.at_least(5, 16)) return;
  for (std::size_t i = 0; i < a.rules.size(); ++i) {
    const ResolvedRule& rule = a.rules[i];
    if (rule.modules > 0 || rule.parameters == 0) continue;
    const bool names_parameter = std::any_of(a.shards.begin(), a.shards.end(), [&](const ShardSpec& s) {
      return s.pattern == rule.rule.key;
    });
    if (names_parameter) continue;
    Diagnostic d;
    d.code = "TP209";
    d.severity = Severity::warning;
    d.where = rule.rule.key;
    d.rule = rule.rule.key + ": " + rule.rule.strategy;
    d.position = rule.rule.position;
    d.message = "rule " + quoted(rule.rule.key) + " cuts " + std::to_string(rule.parameters) +
                " parameters but installs no hook: no collective follows the cut";
    d.details.push_back("this version searches weights for the key anywhere in their name, and looks modules up exactly");
    a.diagnostics.push_back(std::move(d));
  }
}

std::int64_t total_bytes_of(const Analysis& a) {
  std::int64_t total = 0;
  for (const ShardSpec& s : a.shards) total += s.bytes * s.count;
  return total;
}

void large_replicas(const Model& model, Analysis& a) {
  const int ranks = a.ranks();
  if (ranks == 1) return;
  const std::int64_t total = total_bytes_of(a);
  for (const ShardSpec& s : a.shards) {
    const std::int64_t bytes = s.bytes * s.count;
    const bool whole = std::holds_alternative<Replicate>(s.placement);
    if (!whole || bytes < kLargeReplicaBytes || bytes * 100 < total) continue;
    Diagnostic d;
    d.code = "TP202";
    d.severity = Severity::warning;
    d.where = s.pattern;
    attach_rule(a, s.rule, d);
    d.effect_bytes = bytes - bytes / ranks;
    d.message = s.pattern + " is replicated on every rank (" + std::to_string(s.count) + " x " + to_string(s.shape) + ")";
    const std::string module = s.pattern.substr(0, s.pattern.rfind('.'));
    const bool table = module.ends_with("embed_tokens") || module.ends_with("embed_in") || module.ends_with("wte");
    const bool head = s.count == 1 && !table && s.shape.rank() == 2 && s.shape[0] == model.vocab_size;
    if (table && a.dialect.at_least(5, 1)) d.fixes.push_back({"split the table over the vocabulary", {{"add", module, "embedding_rowwise"}}});
    if (head && a.dialect.at_least(5, 1)) d.fixes.push_back({"split the head over the vocabulary and gather the logits", {{"add", module, "colwise_gather_output"}}});
    a.diagnostics.push_back(std::move(d));
  }
}

void renamed_strategies(Analysis& a) {
  for (const ResolvedRule& rule : a.rules) {
    if (!is_users(rule.origin) || a.dialect.below(5, 1)) continue;
    const std::string& s = rule.rule.strategy;
    const std::string now = s == "colwise_rep" ? "colwise_gather_output" : s == "rowwise_rep" ? "rowwise_split_input" : "";
    if (now.empty() || !rule.known_strategy) continue;
    Diagnostic d;
    d.code = "TP203";
    d.severity = Severity::warning;
    d.where = rule.rule.key;
    d.rule = rule.rule.key + ": " + s;
    d.position = rule.rule.strategy_position;
    d.message = quoted(s) + " is called " + quoted(now) + " since Transformers 5.1.0";
    d.fixes.push_back({"use the new name", {{"replace", rule.rule.key, now}}});
    a.diagnostics.push_back(std::move(d));
  }
}

void ignored_rules(const EffectivePlan& plan, Analysis& a) {
  for (const ResolvedRule& rule : plan.ignored) {
    Diagnostic d;
    d.code = "TP204";
    d.severity = Severity::warning;
    d.where = rule.rule.key;
    d.rule = rule.rule.key + ": " + rule.rule.strategy;
    d.position = rule.rule.position;
    d.message = "rule " + quoted(rule.rule.key) + " is ignored by " + to_string(a.dialect);
    d.details.push_back("huggingface/transformers#47253: the class's own plan is overwritten when the model is built");
    a.diagnostics.push_back(std::move(d));
  }
}

void sequence_parallel_rules(Analysis& a) {
  for (const ResolvedRule& rule : a.rules) {
    if (rule.rule.strategy != "sequence_parallel" || rule.modules == 0) continue;
    Diagnostic d;
    d.code = "TP206";
    d.severity = Severity::warning;
    d.where = rule.rule.key;
    d.rule = rule.rule.key + ": " + rule.rule.strategy;
    d.position = rule.rule.position;
    d.message = a.dialect.generation() == Generation::dtensor_forward
                    ? "sequence_parallel moves nothing and saves nothing in this version"
                    : "sequence_parallel gathers the whole sequence after every norm: more traffic, no memory saved";
    d.fixes.push_back({"remove the rule", {{"remove", rule.rule.key, ""}}});
    a.diagnostics.push_back(std::move(d));
  }
}

void uneven_shards(Analysis& a) {
  for (const ShardSpec& s : a.shards) {
    if (std::all_of(s.ranks.begin(), s.ranks.end(), [&](const RankShard& r) { return r.shape == s.ranks.front().shape; })) continue;
    Diagnostic d;
    d.code = "TP208";
    d.severity = Severity::warning;
    d.where = s.pattern;
    attach_rule(a, s.rule, d);
    const auto [least, most] = std::minmax_element(s.ranks.begin(), s.ranks.end(),
                                                   [](const RankShard& x, const RankShard& y) { return x.bytes < y.bytes; });
    d.message = s.pattern + " is cut unevenly: " + to_string(most->shape) + " on the heaviest rank, " + to_string(least->shape) +
                " on the lightest";
    d.effect_bytes = (most->bytes - s.bytes / static_cast<std::int64_t>(s.ranks.size())) * s.count;
    a.diagnostics.push_back(std::move(d));
  }
}

void sort_by_severity(Analysis& a) {
  std::stable_sort(a.diagnostics.begin(), a.diagnostics.end(),
                   [](const Diagnostic& x, const Diagnostic& y) { return x.severity < y.severity; });
}

}  // namespace

void lint(const Model& model, const AnalysisRequest& request, const EffectivePlan& plan, const std::vector<Cause>& decisive,
          Analysis& analysis) {
  add_decisive(model, plan, decisive, analysis);
  if (request.parallelism.tp > 1 || request.parallelism.ep > 1) {
    unmatched_rules(model, analysis);
    one_sided_rules(analysis);
    renamed_strategies(analysis);
    ignored_rules(plan, analysis);
    sequence_parallel_rules(analysis);
    large_replicas(model, analysis);
    uneven_shards(analysis);
  }
  sort_by_severity(analysis);
}

}  // namespace tpsim
