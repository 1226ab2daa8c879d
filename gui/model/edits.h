// Edits of the document: each takes one and gives the next. Names are what the history shows.
#pragma once

#include <string>
#include <vector>

#include "gui/model/document.h"
#include "gui/model/modules.h"
#include "gui/model/results.h"

namespace tpsim::gui {

struct Edit {
  std::string name;
  Document next;
};

// What a change of strategy reaches.
enum class Scope { rule, layer };
const char* to_string(Scope scope);

// The patch that gives a module another strategy ("" = no rule). Scope::rule changes the rule that hits it, or adds one
// for all equal layers; Scope::layer adds one for the first layer of the row.
std::vector<PatchOperation> strategy_patch(const Analysis& analysis, const ModuleRow& row, const std::string& strategy,
                                           Scope scope);

// The plan of a scenario as one's own: every rule in effect. Releases from 5.19 on lay a user's rules over the shipped
// ones, so leaving a shipped rule out changes nothing there.
PlanChoice current_plan(const cli::Scenario& scenario);

// The plan of A with a patch applied. A plan that is not the user's own, or is the baseline too, becomes a new entry.
// The text of a plan keeps its form where it can be edited piece by piece.
Edit edit_plan(const Document& document, const cli::Scenario& scenario, const std::vector<PatchOperation>& patch,
               std::string name);
Edit edit_plan_text(const Document& document, std::string text);
Edit add_plan(const Document& document, PlanEntry plan);  // beside the others, becomes A
Edit remove_plan(const Document& document, std::size_t index);
Edit swap_sides(const Document& document);
Edit make_baseline(const Document& document);
Edit suppress(const Document& document, const Diagnostic& diagnostic);

// The plan of A as it can be written: the user's own text, or the shipped one in normal form.
std::string plan_text_of(const Document& document, const cli::Scenario& scenario);

}  // namespace tpsim::gui
