#include "core/plan.h"

#include <algorithm>
#include <array>

#include "core/plan_dicts.h"
#include "core/source_text.h"

namespace tpsim {
namespace {

constexpr std::size_t kMaxPlanBytes = std::size_t{64} << 20u;

Error whole_file_error(const std::string& file, const std::string& what, std::vector<std::string> fixes = {}) {
  Error error = input_error(base_name(file) + " " + what, file);
  error.fixes = std::move(fixes);
  return error;
}

// At a byte that cannot be shown.
Error byte_error(std::string_view text, const std::string& file, std::size_t offset, const std::string& what) {
  Error error = whole_file_error(file, what);
  error.where = to_string(locate(text, file, offset));
  return error;
}

// A safetensors file starts with the length of its JSON header in 8 bytes, little endian.
bool looks_like_safetensors(std::string_view text) {
  return text.size() > 9 && text[8] == '{' && text.substr(0, 8).find('\0') != std::string_view::npos;
}

// What the text is if it is no plan at all.
std::optional<Error> not_a_text(std::string_view text, const std::string& file) {
  const auto size = std::to_string(text.size());
  if (text.size() > kMaxPlanBytes)
    return whole_file_error(file, "has " + size + " bytes; a plan may have " + std::to_string(kMaxPlanBytes));
  if (text.starts_with("version https://git-lfs"))
    return whole_file_error(file, "is a Git LFS pointer (" + size + " bytes), not the plan", {"git lfs pull"});
  if (looks_like_safetensors(text))
    return whole_file_error(file, "is a safetensors file, not a plan", {"-m " + file + " -p auto"});
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    return whole_file_error(file, "is UTF-16; a plan is UTF-8", {"iconv -f UTF-16 -t UTF-8 " + file});
  if (const auto nul = text.find('\0'); nul != std::string_view::npos)
    return byte_error(text, file, nul, "holds a NUL byte at offset " + std::to_string(nul) + ", so it is no text");
  const auto start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos)
    return whole_file_error(file, "is empty", {"tpsim plan init prints a plan to start from"});
  if (text[start] == '<') return error_at(text, file, {start, 1}, base_name(file) + " is HTML or XML, not a plan");
  if (const auto bad = find_invalid_utf8(text))
    return byte_error(text, file, *bad, "is not UTF-8: invalid byte at offset " + std::to_string(*bad));
  return std::nullopt;
}

// Skips a string that starts at `i`; returns the offset behind it.
std::size_t skip_string(std::string_view text, std::size_t i) {
  for (++i; i < text.size() && text[i] != '"'; ++i)
    if (text[i] == '\\') ++i;
  return i + 1;
}

// For names that do not say it: true unless the text is an object made of double-quoted strings and JSON's punctuation.
bool reads_as_python(std::string_view text) {
  const auto start = text.find_first_not_of(" \t\r\n");
  if (text[start] != '{' && text[start] != '[' && text[start] != '"') return true;
  char last = '\0';
  for (std::size_t i = start; i < text.size();) {
    const char c = text[i];
    if (c == '\'' || c == '#' || c == '=' || c == '(') return true;
    if (c == '}' && last == ',') return true;
    if (c == '"' && last == '"') return true;
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') last = c;
    i = c == '"' ? skip_string(text, i) : i + 1;
  }
  return false;
}

PlanSyntax syntax_of(std::string_view text, const std::string& file) {
  if (file.ends_with(".json")) return PlanSyntax::json;
  if (file.ends_with(".py") || file.ends_with(".pydict")) return PlanSyntax::python;
  return reads_as_python(text) ? PlanSyntax::python : PlanSyntax::json;
}

std::string place_text(const TextPlace& place) {
  return std::to_string(place.line) + ":" + std::to_string(place.column);
}

bool same_rules(const DictLiteral& a, const DictLiteral& b) {
  return !a.fault && !b.fault &&
         std::equal(a.entries.begin(), a.entries.end(), b.entries.begin(), b.entries.end(),
                    [](const DictEntry& x, const DictEntry& y) { return x.key == y.key && x.value == y.value; });
}

Error several_plans(const std::string& file, const std::vector<DictLiteral*>& bound) {
  Error error = whole_file_error(file, "holds " + std::to_string(bound.size()) + " different plans",
                                 {"copy the one you mean into a file of its own"});
  for (const auto* dict : bound)
    error.details.push_back(dict->binding + " at " + place_text(dict->place) + ", " +
                            std::to_string(dict->entries.size()) + " rules");
  return error;
}

// The one bound to a plan's name; else the last that holds strings only; else the last. Dicts inside others count only
// by name.
Result<DictLiteral*> choose(std::vector<DictLiteral>& dicts, const std::string& file, std::string_view name) {
  std::vector<DictLiteral*> bound;
  DictLiteral* last = nullptr;
  DictLiteral* last_of_strings = nullptr;
  for (auto& dict : dicts) {
    if (ends_in(dict.binding, name)) bound.push_back(&dict);
    if (dict.nested) continue;
    last = &dict;
    if (!dict.fault && !dict.entries.empty()) last_of_strings = &dict;
  }
  for (const auto* dict : bound)
    if (bound.size() > 1 && !same_rules(*dict, *bound.front())) return several_plans(file, bound);
  if (!bound.empty()) return bound.front();
  if (last_of_strings != nullptr) return last_of_strings;
  if (last != nullptr) return last;
  return whole_file_error(file, "holds no dict literal, so no plan",
                          {"write the plan as {\"model.layers.*.self_attn.q_proj\": \"colwise\", ...}"});
}

struct KnownFile {
  std::string_view key;
  std::string_view what;
  bool is_model;
};

// Files that users give instead of a plan, by a key that tells them.
constexpr std::array kKnownFiles = {
    KnownFile{"model_type", "the file is a model's config.json without a base_model_tp_plan", true},
    KnownFile{"architectures", "the file is a model's config.json without a base_model_tp_plan", true},
    KnownFile{"weight_map", "the file is the index of a checkpoint", true},
    KnownFile{"tensor_parallel", "the file is a DeepSpeed configuration; tpsim reads Transformers' tp_plan", false},
};

bool has_key(const DictLiteral& dict, std::string_view key) {
  return std::find(dict.other_keys.begin(), dict.other_keys.end(), key) != dict.other_keys.end() ||
         std::any_of(dict.entries.begin(), dict.entries.end(), [&](const DictEntry& e) { return e.key == key; });
}

Error fault_error(std::string_view text, const std::string& file, const DictLiteral& dict) {
  const auto& fault = *dict.fault;
  Error error = error_at(text, file, fault.place.span, base_name(file) + " is not a plan: " + fault.message);
  error.fixes = fault.fixes;
  for (const auto& known : kKnownFiles) {
    if (!has_key(dict, known.key)) continue;
    error.details.emplace_back(known.what);
    error.fixes.push_back(known.is_model ? "-m " + file + " -p auto" : "tpsim plan init");
    break;
  }
  return error;
}

std::vector<Rule> to_rules(std::vector<DictEntry>& entries, const std::string& file) {
  std::vector<Rule> rules;
  rules.reserve(entries.size());
  for (auto& entry : entries)
    rules.push_back({std::move(entry.key),
                     std::move(entry.value),
                     {file, entry.key_place.line, entry.key_place.column},
                     {file, entry.value_place.line, entry.value_place.column}});
  return rules;
}

// Rules a plan text may hold: the largest shipped plan has about fifty.
constexpr std::size_t kMaxPlanRules = 2'000;

Error too_many_rules(std::size_t count, const std::string& file) {
  Error error = input_error(base_name(file) + " holds " + std::to_string(count) + " rules; a plan has at most " +
                                std::to_string(kMaxPlanRules),
                            file);
  error.fixes.push_back("write one rule for all layers: \"model.layers.*.self_attn.q_proj\" (* stands for the index)");
  return error;
}

}  // namespace

Result<Plan> read_plan(std::string_view text, const std::string& file, std::string_view name) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (auto error = not_a_text(text, file)) return std::move(*error);
  const bool json = syntax_of(text, file) == PlanSyntax::json;
  auto dicts = json ? find_json_dicts(text, file) : find_python_dicts(text, file);
  if (!dicts) return std::move(dicts.error());
  const auto dict = choose(*dicts, file, name);
  if (!dict) return dict.error();
  if ((*dict)->fault) return fault_error(text, file, **dict);
  if ((*dict)->entries.size() > kMaxPlanRules) return too_many_rules((*dict)->entries.size(), file);
  return Plan{base_name(file), to_rules((*dict)->entries, file), to_rules((*dict)->overridden, file)};
}

}  // namespace tpsim
