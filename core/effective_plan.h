// The plan that a Transformers version really applies: class plan, config plan, embedding injection, expert plan and
// the user's dictionary merged as that version does (hf_plan_matching.md 2.3, hf_v5_16_to_5_23.md 3 and 5).
//
// Refusals, in the order in which the release meets them:
//   TP114  a data file that cannot be used
//   TP114  sizes: ep without expert parallelism (before 4.54), ep != tp (4.54 - 5.19), ep no multiple of tp (5.20 on),
//   an
//          exchange that the release lacks
//   TP114  a dictionary where only "auto" is taken (up to 4.57), an expert plan that cannot be given (before 5.19)
//   TP201  a key of the user's dictionary that names nothing (5.19 on), as an error
//   TP114  no plan for what was requested: tp (up to 4.49 and 5.23), ep (5.13 on)
//   TP114  an expert plan of the wrong kind: ep_router beside ep_dispatch_experts (5.19 - 5.22), ep_router or
//   moe_tp_experts
//          (5.23), the masked plan on a mesh with ep != tp (5.20 - 5.22)
//   TP101  unknown strategies in the plans that are applied, one diagnostic for each name
//   TP114  a key that is no regular expression (5.0 - 5.15)
// Experts that do not divide are found where their weights are placed (TP103). With one rank nothing is distributed and
// nothing refused. PlanKind::none stands for a run without tp_plan, never refused.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/analysis.h"
#include "core/analyze.h"

namespace tpsim {

// What is shipped for a model type, keys as the config or task class states them.
struct ShippedPlans {
  std::string version;  // release the data were taken from ("5.23.0"), nearest not newer than the dialect
  Plan config_plan;     // base_model_tp_plan: keys relative to the base model
  Plan class_plan;      // _tp_plan of the causal-LM class: keys on the whole model
  Plan expert_plan;     // base_model_ep_plan
  bool has_config_plan = false, has_expert_plan = false;
  bool is_newer = false;       // the model type came after the dialect: its first release's data
  std::optional<Error> fault;  // the data file cannot be used
};
ShippedPlans shipped_plans(std::string_view model_type, const Dialect& dialect);

struct EffectivePlan {
  // TP rules in dictionary order, keys on the whole model. 4.51 - 4.57 also keep the config class's keys without
  // prefix; those can never match and are left out. 4.54 - 5.18 under expert parallelism: the expert plan, which
  // replaces all others.
  std::vector<ResolvedRule> rules;
  std::vector<ResolvedRule> expert_rules;  // 5.19 on: applied beside `rules`, over the ep mesh
  std::vector<ResolvedRule> ignored;       // rules that this version drops (a lost lm_head rule, a replaced TP plan)
  std::string name;                        // "auto", "none", file
  std::string source;                      // "transformers 5.23.0"
  // Set where this version refuses the plan before anything is loaded.
  std::vector<Diagnostic> refusals;
};
EffectivePlan effective_plan(const Model& model, const AnalysisRequest& request);

}  // namespace tpsim
