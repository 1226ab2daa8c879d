#include "core/repair.h"

#include <algorithm>
#include <set>

#include "core/lint_facts.h"
#include "core/plan_keys.h"
#include "core/repair_search.h"
#include "core/suggest.h"

namespace tpsim {
namespace {

using Kind = PlanEdit::Kind;

std::string prefix_of(const Model& model) { return model.base.empty() ? "" : model.base + "."; }

// The rules that the release applies of itself, as the author of this plan would write them.
std::vector<Rule> shipped_rules(const Model& model, const AnalysisRequest& request, bool base_plan) {
  if (base_plan) return shipped_plans(model.model_type, request.dialect).config_plan.rules;
  AnalysisRequest automatic = request;
  automatic.plan = PlanChoice{};
  std::vector<Rule> rules;
  for (const ResolvedRule& resolved : effective_plan(model, automatic).rules) rules.push_back(resolved.rule);
  return rules;
}

std::string parent(const std::string& key) {
  const auto dot = key.rfind('.');
  return dot == std::string::npos ? std::string() : key.substr(0, dot);
}

PlanEdit set_rule(const Plan& plan, const std::string& key, const std::string& strategy) {
  const bool there = plan.find(key) != nullptr;
  return {there ? Kind::set : Kind::add, {{there ? "replace" : "add", key, strategy}}, {}};
}
PlanEdit variant(const Plan& plan, const std::string& key, const std::string& strategy) {
  return {Kind::vary, {{plan.find(key) != nullptr ? "replace" : "add", key, strategy}}, {}};
}
PlanEdit remove_rule(const std::string& key) { return {Kind::remove, {{"remove", key, ""}}, {}}; }

class RepairFinder {
public:
  RepairFinder(const Model& model, const AnalysisRequest& request, const Analysis& analysis)
      : model_(model),
        request_(request),
        dialect_(request.dialect),
        start_(editable_plan(model, request)),
        shipped_(shipped_rules(model, request, start_.base_plan)),
        verifier_(model, request, start_),
        facts_(model, EffectivePlan{analysis.rules, {}, {}, {}, {}, {}}, analysis) {
    for (const Diagnostic& d : analysis.diagnostics)
      if (d.severity == Severity::error) {
        involved_.insert(parent(generalised(d.where)));
        if (d.code == "TP106" && facts_.names_something(generalised(d.where)))
          unreduced_.push_back(generalised(d.where));
      }
  }

  int runs() const { return verifier_.runs(); }
  bool is_cut() const { return is_cut_; }

  std::vector<Repair> run() {
    corrections();
    if (!corrections_.empty()) offer_reduced(corrections_);
    if (found_.empty()) try_single_edits();
    if (found_.empty()) {
      try_targets();
      try_greedy();
    }
    std::stable_sort(found_.begin(), found_.end(), is_cheaper);
    drop_repeats();
    is_cut_ = is_cut_ || verifier_.exhausted();
    return std::move(found_);
  }

private:
  void offer(std::optional<Repair> repair) {
    if (repair) found_.push_back(std::move(*repair));
  }
  void offer_reduced(std::vector<PlanEdit> edits) {
    if (auto repair = verifier_.check(edits)) found_.push_back(reduced(verifier_, std::move(*repair)));
  }

  // What is plainly a slip: keys that name nothing but are near something, names of other releases, misspelt names.
  void corrections() {
    std::map<KeyFlaw, PlanEdit> renames;
    for (const Rule& rule : start_.plan.rules) {
      const std::string full = start_.base_plan ? prefix_of(model_) + rule.key : rule.key;
      const auto intended = intended_key(facts_, full);
      if (!intended) continue;
      const std::string key = written_key(model_, request_, intended->key);
      if (start_.plan.find(key) != nullptr && intended->flaw == KeyFlaw::misspelt) continue;
      if (intended->flaw == KeyFlaw::misspelt) {
        corrections_.push_back(rename(rule, key, "rename " + quoted(rule.key) + " to " + quoted(key)));
        continue;
      }
      PlanEdit& all = renames[intended->flaw];
      const PlanEdit one = rename(rule, key, {});
      all.kind = Kind::rename;
      all.patch.insert(all.patch.end(), one.patch.begin(), one.patch.end());
    }
    for (auto& [flaw, edit] : renames) {
      const auto rules = std::to_string(edit.patch.size() / 2);
      edit.title = (flaw == KeyFlaw::prefix_missing ? "add the prefix to "
                    : flaw == KeyFlaw::prefix_twice ? "drop the prefix of "
                    : flaw == KeyFlaw::index_given  ? "write * for the index in "
                                                    : "put in the * of ") +
                   rules + (edit.patch.size() == 2 ? " rule" : " rules");
      corrections_.insert(corrections_.begin(), edit);
    }
    correct_order();
    correct_names();
  }

  // 5.0 - 5.15: a rule whose parameters an earlier key takes comes before that key.
  void correct_order() {
    std::set<std::string> moved;
    for (const ShadowedRule& shadow : shadowed_rules(facts_)) {
      const Rule& earlier = facts_.rule(shadow.by)->rule;
      const std::string key = written_key(model_, request_, earlier.key);
      if (start_.plan.find(key) == nullptr || !moved.insert(key).second) continue;
      corrections_.push_back({Kind::rename,
                              {{"remove", key, ""}, {"add", key, earlier.strategy}},
                              "put " + quoted(key) + " behind the rules for what is inside it"});
    }
  }

  static PlanEdit rename(const Rule& rule, const std::string& key, std::string title) {
    return {Kind::rename, {{"remove", rule.key, ""}, {"add", key, rule.strategy}}, std::move(title)};
  }

  // One correction for each unknown name.
  void correct_names() {
    std::vector<std::string> names;
    for (const std::string_view name : strategy_names(dialect_)) names.emplace_back(name);
    for (const CustomStrategy& s : request_.custom) names.push_back(s.name);
    std::map<std::string, PlanEdit> edits;
    for (const Rule& rule : start_.plan.rules) {
      if (std::find(names.begin(), names.end(), rule.strategy) != names.end()) continue;
      if (rule.strategy == "replicate") {
        corrections_.push_back(remove_rule(corrected_key(rule.key)));
        continue;
      }
      std::string better;
      if (const auto same = equivalent_name(rule.strategy, dialect_)) better = std::string(*same);
      if (better.empty())
        if (const auto near = nearest(rule.strategy, names, 1); !near.empty()) better = near.front();
      if (better.empty()) continue;
      PlanEdit& edit = edits[rule.strategy];
      edit.kind = Kind::set;
      edit.title = "use " + quoted(better) + " for " + quoted(rule.strategy);
      edit.patch.push_back({"replace", corrected_key(rule.key), better});
    }
    for (auto& [name, edit] : edits) corrections_.push_back(std::move(edit));
  }

  std::string corrected_key(const std::string& key) const {
    for (const PlanEdit& edit : corrections_)
      for (std::size_t i = 0; i + 1 < edit.patch.size(); i += 2)
        if (edit.kind == Kind::rename && edit.patch[i].key == key) return edit.patch[i + 1].key;
    return key;
  }

  // 5.19 on: a plan given to the model changes the release's own, which stays in effect.
  bool merges() const { return dialect_.at_least(5, 19) && !start_.base_plan; }
  Plan in_effect(const Plan& plan) const {
    Plan whole = plan;
    if (!merges()) return whole;
    for (const Rule& rule : shipped_)
      if (plan.find(rule.key) == nullptr) whole.rules.push_back(rule);
    return whole;
  }

  Plan corrected() const {
    Plan plan = start_.plan;
    for (const PlanEdit& edit : corrections_) plan = apply_patch(plan, edit.patch);
    return plan;
  }

  const Rule* shipped(const std::string& key) const {
    const auto found = std::find_if(shipped_.begin(), shipped_.end(), [&](const Rule& r) { return r.key == key; });
    return found == shipped_.end() ? nullptr : &*found;
  }

  // In a merged plan a rule is put out of effect by stating `replicate`, where the release knows it.
  std::optional<PlanEdit> without(const Plan& plan, const std::string& key) const {
    if (plan.find(key) != nullptr) return remove_rule(key);
    if (find_strategy("replicate", dialect_)) return variant(plan, key, "replicate");
    return std::nullopt;
  }

  std::vector<std::string> variants(const std::string& strategy) const {
    static const std::map<std::string, std::vector<std::string>> kVariants = {
        {"colwise", {"colwise_gather_output", "colwise_rep", "packed_colwise"}},
        {"colwise_gather_output", {"colwise"}},
        {"colwise_rep", {"colwise"}},
        {"rowwise", {"rowwise_split_input", "rowwise_rep", "embedding_rowwise"}},
        {"rowwise_split_input", {"rowwise"}},
        {"rowwise_rep", {"rowwise"}},
        {"packed_colwise", {"colwise"}},
        {"packed_rowwise", {"rowwise"}},
        {"local_colwise", {"colwise"}},
        {"local_rowwise", {"rowwise"}},
        {"embedding_colwise", {"embedding_rowwise"}},
    };
    const auto found = kVariants.find(strategy);
    std::vector<std::string> known;
    if (found != kVariants.end())
      for (const std::string& v : found->second)
        if (find_strategy(v, dialect_)) known.push_back(v);
    return known;
  }

  // Every change of one rule: to the shipped strategy, to a variant, away; and every shipped rule that is not there.
  std::vector<PlanEdit> single_edits(const Plan& plan) const {
    std::vector<PlanEdit> edits;
    for (const Rule& rule : in_effect(plan).rules) {
      const Rule* theirs = shipped(rule.key);
      if (theirs != nullptr && theirs->strategy != rule.strategy)
        edits.push_back(set_rule(plan, rule.key, theirs->strategy));
      for (const std::string& v : variants(rule.strategy))
        if (theirs == nullptr || theirs->strategy != v) edits.push_back(variant(plan, rule.key, v));
      if (auto gone = without(plan, rule.key)) edits.push_back(std::move(*gone));
      const auto dot = rule.key.rfind('.');
      if (dot == std::string::npos ||
          !facts_.names_parameter(start_.base_plan ? prefix_of(model_) + rule.key : rule.key))
        continue;
      const std::string module = rule.key.substr(0, dot);
      if (plan.find(module) == nullptr)
        edits.push_back(rename(rule, module, "key the rule on the module " + quoted(module)));
    }
    for (const std::string& module : unreduced_)
      for (const char* strategy : {"all_reduce", "moe_tp_experts", "gather"})
        if (find_strategy(strategy, dialect_))
          edits.push_back(set_rule(plan, written_key(model_, request_, module), strategy));
    for (const Rule& rule : shipped_)
      if (!merges() && plan.find(rule.key) == nullptr) edits.push_back(set_rule(plan, rule.key, rule.strategy));
    return edits;
  }

  // Where not all can be tried, those in blocks with errors come first.
  std::vector<PlanEdit> promising_first(std::vector<PlanEdit> edits) const {
    if (static_cast<int>(edits.size()) <= verifier_.runs_left()) return edits;
    std::stable_partition(edits.begin(), edits.end(), [&](const PlanEdit& edit) {
      const std::string& key = edit.patch.front().key;
      return involved_.contains(parent(generalised(start_.base_plan ? prefix_of(model_) + key : key)));
    });
    return edits;
  }

  void try_single_edits() {
    // Targets need a few runs themselves, where not all single edits can be tried.
    const int reserve = verifier_.runs_left() / 2;
    const auto edits_to_try = promising_first(single_edits(corrected()));
    const bool all = static_cast<int>(edits_to_try.size()) <= verifier_.runs_left();
    for (const PlanEdit& edit : edits_to_try) {
      is_cut_ = !all && verifier_.runs_left() <= reserve;
      if (is_cut_) return;
      std::vector<PlanEdit> edits = corrections_;
      edits.push_back(edit);
      if (auto repair = verifier_.check(edits))
        found_.push_back(corrections_.empty() ? std::move(*repair) : reduced(verifier_, std::move(*repair)));
    }
  }

  // All rules, or those of one block, as shipped; gathered; or gone. Then back to what is needed of that.
  void try_targets() {
    const Plan plan = corrected();
    for (const std::string& block : blocks(plan)) {
      if (verifier_.exhausted()) return;
      const auto inside = [&](const std::string& key) { return block.empty() || parent(key) == block; };
      offer_target(as_shipped(plan, inside));
      offer_target(gathered(plan, inside));
      offer_target(removed(plan, inside));
    }
  }

  // Blocks in which errors lie, then the whole plan.
  std::vector<std::string> blocks(const Plan& plan) const {
    std::set<std::string> found;
    for (const Rule& rule : in_effect(plan).rules) {
      const std::string full = start_.base_plan ? prefix_of(model_) + rule.key : rule.key;
      if (involved_.contains(parent(full)) && !parent(rule.key).empty()) found.insert(parent(rule.key));
    }
    std::vector<std::string> list(found.begin(), found.end());
    list.emplace_back();
    return list;
  }

  template <class Inside>
  std::vector<PlanEdit> as_shipped(const Plan& plan, Inside inside) const {
    std::vector<PlanEdit> edits;
    if (shipped_.empty()) return edits;
    for (const Rule& rule : plan.rules) {
      const Rule* theirs = shipped(rule.key);
      if (!inside(rule.key)) continue;
      if (theirs != nullptr && theirs->strategy != rule.strategy)
        edits.push_back(set_rule(plan, rule.key, theirs->strategy));
      if (theirs == nullptr) edits.push_back(remove_rule(rule.key));
    }
    for (const Rule& rule : shipped_)
      if (inside(rule.key) && plan.find(rule.key) == nullptr) edits.push_back(set_rule(plan, rule.key, rule.strategy));
    return edits;
  }

  template <class Inside>
  std::vector<PlanEdit> gathered(const Plan& plan, Inside inside) const {
    std::vector<PlanEdit> edits;
    const bool old = dialect_.below(5, 1);
    for (const Rule& rule : in_effect(plan).rules) {
      if (!inside(rule.key)) continue;
      if (rule.strategy == "colwise")
        edits.push_back(variant(plan, rule.key, old ? "colwise_rep" : "colwise_gather_output"));
      if (rule.strategy == "rowwise")
        edits.push_back(variant(plan, rule.key, old ? "rowwise_rep" : "rowwise_split_input"));
    }
    return edits;
  }

  template <class Inside>
  std::vector<PlanEdit> removed(const Plan& plan, Inside inside) const {
    std::vector<PlanEdit> edits;
    for (const Rule& rule : in_effect(plan).rules)
      if (inside(rule.key))
        if (auto gone = without(plan, rule.key)) edits.push_back(std::move(*gone));
    return edits;
  }

  void offer_target(const std::vector<PlanEdit>& target) {
    if (target.empty()) return;
    std::vector<PlanEdit> edits = corrections_;
    edits.insert(edits.end(), target.begin(), target.end());
    offer_reduced(std::move(edits));
  }

  // Where no target works: single edits that get the run further, one after the other.
  void try_greedy() {
    if (!found_.empty()) return;
    std::vector<PlanEdit> edits = corrections_;
    for (int depth = 0; depth < 6 && !verifier_.exhausted(); ++depth) {
      Plan plan = start_.plan;
      for (const PlanEdit& edit : edits) plan = apply_patch(plan, edit.patch);
      auto best = verifier_.progress(edits);
      std::optional<PlanEdit> step;
      for (const PlanEdit& edit : single_edits(plan)) {
        if (verifier_.exhausted()) break;
        std::vector<PlanEdit> tried = edits;
        tried.push_back(edit);
        const auto reached = verifier_.progress(tried);
        if (reached <= best) continue;
        best = reached;
        step = edit;
      }
      if (!step) return;
      edits.push_back(*step);
      if (verifier_.check(edits)) return offer_reduced(std::move(edits));
    }
  }

  void drop_repeats() {
    std::set<std::string> seen;
    std::erase_if(found_, [&](const Repair& r) {
      const Plan plan = apply_patch(start_.plan, to_fix(r).patch);
      return !seen.insert(to_json(plan)).second;
    });
  }

  const Model& model_;
  const AnalysisRequest& request_;
  const Dialect& dialect_;
  PlanChoice start_;
  std::vector<Rule> shipped_;
  RepairVerifier verifier_;
  LintFacts facts_;
  std::set<std::string> involved_;      // blocks in which errors lie
  std::vector<std::string> unreduced_;  // modules whose partial sums nothing adds up
  std::vector<PlanEdit> corrections_;
  std::vector<Repair> found_;
  bool is_cut_ = false;
};

}  // namespace

PlanChoice editable_plan(const Model& model, const AnalysisRequest& request) {
  PlanChoice choice = request.plan;
  if (choice.kind == PlanKind::manual) return choice;
  const bool named = choice.kind == PlanKind::automatic;
  choice.kind = PlanKind::manual;
  choice.base_plan = request.dialect.below(5, 0);
  choice.plan = Plan{named ? "auto" : "none", {}, {}};
  if (named && request.dialect.below(5, 19)) choice.plan.rules = shipped_rules(model, request, choice.base_plan);
  return choice;
}

RepairSearch search_repairs(const Model& model, const AnalysisRequest& request, const Analysis& analysis,
                            std::size_t limit) {
  RepairSearch search;
  if (analysis.verdict == Verdict::right || analysis.verdict == Verdict::unknown) return search;
  RepairFinder finder(model, request, analysis);
  for (const Repair& repair : finder.run()) {
    if (search.fixes.size() == limit) break;
    search.fixes.push_back(to_fix(repair));
  }
  search.runs = finder.runs();
  search.is_cut = finder.is_cut();
  return search;
}

std::vector<Fix> find_repairs(const Model& model, const AnalysisRequest& request, const Analysis& analysis,
                              std::size_t limit) {
  return search_repairs(model, request, analysis, limit).fixes;
}

std::optional<Fix> find_repair(const Model& model, const AnalysisRequest& request, const Analysis& analysis) {
  std::vector<Fix> fixes = find_repairs(model, request, analysis, 1);
  if (fixes.empty()) return std::nullopt;
  return std::move(fixes.front());
}

}  // namespace tpsim
