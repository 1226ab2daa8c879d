// All dict literals of a plan file, with their places: what read_plan chooses from. Used by the plan reader only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/plan_lexer.h"
#include "core/result.h"

namespace tpsim {

struct TextPlace {
  int line = 0;
  int column = 0;
  Span span;
};

struct DictEntry {
  std::string key;
  std::string value;
  TextPlace key_place;
  TextPlace value_place;
};

// Why a dict is not a plan.
struct DictFault {
  TextPlace place;
  std::string message;
  std::vector<std::string> fixes;
};

struct DictLiteral {
  std::string binding;                  // the name or key it is bound to, "" without
  TextPlace place;                      // of its opening brace
  bool nested = false;                  // inside another dict
  std::vector<DictEntry> entries;       // string to string, one for each key
  std::vector<DictEntry> overridden;    // entries that a later equal key replaced (Python)
  std::vector<std::string> other_keys;  // the first few keys whose value is not a string
  std::optional<DictFault> fault;       // the first one
};

inline constexpr int kMaxPlanDepth = 64;

// Dicts in the order in which they are closed. Errors: the text is not JSON or not Python, nested too deeply.
Result<std::vector<DictLiteral>> find_json_dicts(std::string_view text, const std::string& file);
Result<std::vector<DictLiteral>> find_python_dicts(std::string_view text, const std::string& file);

// Shared by both: adds an entry; records what is wrong with a dict; merges equal keys when the dict is closed.
void set_fault(DictLiteral& dict, TextPlace place, std::string message, std::vector<std::string> fixes = {});
void note_other_key(DictLiteral& dict, const std::string& key);
TextPlace place_of(const Token& token);
bool ends_in(std::string_view binding, std::string_view name);  // in any letter case
bool names_a_plan(std::string_view binding);                    // ends in "tp_plan", "ep_plan" or "pp_plan"
// The index of the earlier entry with an equal key for each entry that has one, in order: (earlier, later).
std::vector<std::pair<std::size_t, std::size_t>> repeated_keys(const std::vector<DictEntry>& entries);

}  // namespace tpsim
