#include "core/shipped_check.h"

#include <algorithm>
#include <utility>

#include "core/analyze.h"
#include "core/architecture.h"
#include "core/data.h"
#include "core/effective_plan.h"
#include "core/model_source.h"

namespace tpsim {
namespace {

// Reasons that say no more than that a size does not divide.
bool is_about_size(const std::string& code) { return code == "TP102" || code == "TP103"; }

std::vector<std::string> planned_model_types() {
  std::vector<std::string> types;
  constexpr std::string_view prefix = "plans/", suffix = "/tp_plans.json";
  for (const std::string& path : list_data(prefix))
    if (path.ends_with(suffix))
      types.push_back(path.substr(prefix.size(), path.size() - prefix.size() - suffix.size()));
  return types;
}

ShippedVerdict verdict_at(const Model& model, const Dialect& dialect, int tp) {
  AnalysisRequest request;
  request.dialect = dialect;
  request.parallelism.tp = tp;
  request.workload.batch = 2;
  request.workload.tokens = 16;
  ShippedVerdict result{tp, Verdict::error, {}, {}, {}};
  const auto analysis = analyze(model, request);
  if (!analysis) {
    result.message = analysis.error().message;
    return result;
  }
  result.verdict = analysis->verdict;
  const auto decisive = std::find_if(analysis->diagnostics.begin(), analysis->diagnostics.end(),
                                     [](const Diagnostic& d) { return d.severity == Severity::error; });
  if (analysis->verdict == Verdict::right || decisive == analysis->diagnostics.end()) return result;
  result.code = decisive->code;
  result.where = decisive->where;
  result.message = decisive->message;
  return result;
}

// Failing on a size that does not divide limits a plan; it does not break it.
ShippedState state_of(const std::vector<ShippedVerdict>& verdicts) {
  const auto is_right = [](const ShippedVerdict& v) { return v.verdict == Verdict::right; };
  if (std::all_of(verdicts.begin(), verdicts.end(), is_right)) return ShippedState::right;
  const bool only_sizes = std::all_of(verdicts.begin(), verdicts.end(),
                                      [&](const ShippedVerdict& v) { return is_right(v) || is_about_size(v.code); });
  return only_sizes ? ShippedState::limited : ShippedState::broken;
}

class ShippedChecker {
public:
  ShippedChecker(const Dialect& dialect, const std::vector<int>& sizes) : dialect_(dialect), sizes_(sizes) {}

  void check(const std::string& type) {
    const ShippedPlans plans = shipped_plans(type, dialect_);
    if (plans.is_newer || (plans.config_plan.rules.empty() && plans.class_plan.rules.empty())) return;
    const auto architecture = load_architecture(type, dialect_);
    if (!architecture) {
      results_.push_back({type, "class default", ShippedState::not_checked, {}, architecture.error().message});
      return;
    }
    add(type, "class default", *architecture, read_config("{\"model_type\": \"" + type + "\"}", "class default"));
    for (const KnownConfig& known : known_configs_) {
      if (known.model_type != type) continue;
      auto source = open_model(known.id);
      if (source && source->config) add(type, known.id, *architecture, *source->config);
    }
  }

  std::vector<ShippedResult> take() { return std::move(results_); }

private:
  void add(const std::string& type, const std::string& id, const Architecture& architecture,
           const Result<Config>& config) {
    ShippedResult result{type, id, ShippedState::not_checked, {}, {}};
    const auto model = config ? build_model(architecture, *config) : Result<Model>(config.error());
    if (!model)
      result.reason = model.error().message;
    else if (!model->has_forward)
      result.reason = "no forward pass is described";
    else if (const ShippedVerdict alone = verdict_at(*model, dialect_, 1); alone.verdict == Verdict::error)
      result.reason = "this configuration runs on no number of ranks: " + alone.message;
    else {
      for (int tp : sizes_) result.verdicts.push_back(verdict_at(*model, dialect_, tp));
      result.state = state_of(result.verdicts);
    }
    results_.push_back(std::move(result));
  }

  const Dialect& dialect_;
  const std::vector<int>& sizes_;
  std::vector<KnownConfig> known_configs_ = known_configs();
  std::vector<ShippedResult> results_;
};

}  // namespace

const char* to_string(ShippedState state) {
  switch (state) {
    case ShippedState::right: return "right";
    case ShippedState::limited: return "limited";
    case ShippedState::broken: return "broken";
    case ShippedState::not_checked: return "not checked";
  }
  return "";
}

std::vector<ShippedResult> check_shipped(const Dialect& dialect, const std::vector<int>& sizes,
                                         const std::string& only) {
  ShippedChecker checker(dialect, sizes);
  for (const std::string& type : planned_model_types())
    if (only.empty() || only == type) checker.check(type);
  return checker.take();
}

}  // namespace tpsim
