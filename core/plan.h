// A tensor-parallel plan as written: ordered rules, each with its place in the source.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/diagnostic.h"
#include "core/result.h"

namespace tpsim {

// "model.layers.*.self_attn.q_proj" -> "colwise". Strategy names stay text: which names exist depends on the dialect,
// and users may add their own (core/strategy.h).
struct Rule {
  std::string key;
  std::string strategy;
  SourcePosition position;           // of the key
  SourcePosition strategy_position;  // of the value
  bool operator==(const Rule& o) const { return key == o.key && strategy == o.strategy; }
};

struct Plan {
  std::string name;  // "auto", "none", a file name
  std::vector<Rule> rules;
  std::vector<Rule>
      overridden;  // of a Python dict: rules that a later equal key replaced, which Python does in silence

  const Rule* find(std::string_view key) const {
    for (const auto& r : rules)
      if (r.key == key) return &r;
    return nullptr;
  }
  bool operator==(const Plan& o) const { return rules == o.rules; }
};

// Reads a plan from text: a JSON object of strings or a Python dict literal (parsed, never executed). A Python text may
// hold assignments and other code around the dict. The plan is the dict bound to a name, argument or key that ends in
// `name` (in any letter case), at any depth; else the last dict literal that is not inside another and holds strings
// only. Names ending in .json are read as JSON, .py and .pydict as Python; other names by their content. Equal keys: an
// error in JSON; in Python the last value counts, at the first one's place in the order. `file` is used in positions.
// Errors: several different dicts bound to such names, values that are not strings, `**` spreads, f-strings, more than
// 64 MiB, more than 64 levels, files that are something else.
Result<Plan> read_plan(std::string_view text, const std::string& file, std::string_view name = "tp_plan");

// The plan after the operations, in order: "add" and "replace" set a key's strategy in place or append it, "remove"
// drops it if it is there. A "remove" with an "add" of another, new key behind it renames the rule in its place, since
// order can matter. Positions of untouched rules stay.
Plan apply_patch(const Plan& plan, const std::vector<PatchOperation>& patch);

// Normal form: one rule a line, keys as written, in order.
std::string to_json(const Plan& plan);
std::string to_python(const Plan& plan, std::string_view variable = "tp_plan");

}  // namespace tpsim
