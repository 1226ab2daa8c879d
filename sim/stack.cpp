#include "sim/stack.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>

#include "core/characters.h"
#include "core/data.h"
#include "core/json.h"
#include "core/suggest.h"
#include "sim/fit/object_reader.h"

namespace tpsim {
namespace {

constexpr std::string_view kFolder = "sim/stacks/";
constexpr std::string_view kEnding = ".json";

// "0.12.0rc1" -> 0.012
struct Version {
  int major = 0, minor = 0;
  auto operator<=>(const Version&) const = default;
};

// The first MAJOR.MINOR in a text.
std::optional<Version> version_in(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (std::isdigit(static_cast<unsigned char>(text[i])) == 0) continue;
    Version v;
    const char* const end = text.data() + text.size();
    const auto [dot, fault] = std::from_chars(text.data() + i, end, v.major);
    if (fault != std::errc()) return std::nullopt;
    if (dot + 1 < end && *dot == '.' && std::from_chars(dot + 1, end, v.minor).ec == std::errc()) return v;
    i = static_cast<std::size_t>(dot - text.data());
  }
  return std::nullopt;
}

Error wrong(const std::string& file, const std::string& what) { return input_error(what, file); }

struct NumberField {
  std::string_view name;
  double Stack::*member;
};
constexpr NumberField kNumbers[] = {
    {"step_us", &Stack::step_us},
    {"sequence_us", &Stack::sequence_us},
    {"rank_us", &Stack::rank_us},
    {"launch_us", &Stack::launch_us},
    {"operation_us", &Stack::operation_us},
    {"prefill_us", &Stack::prefill_us},
    {"prompt_share", &Stack::prompt_share},
    {"gemm_factor", &Stack::gemm_factor},
    {"wide_gemm_factor", &Stack::wide_gemm_factor},
    {"attention_factor", &Stack::attention_factor},
    {"prompt_attention_factor", &Stack::prompt_attention_factor},
    {"small_factor", &Stack::small_factor},
    {"experts_factor", &Stack::experts_factor},
    {"wide_experts_factor", &Stack::wide_experts_factor},
    {"collective_factor", &Stack::collective_factor},
    {"band", &Stack::band},
    {"kernel_band", &Stack::kernel_band},
};

std::optional<double> number_in(const Value& value) {
  if (const auto* i = std::get_if<std::int64_t>(&value.data)) return static_cast<double>(*i);
  if (const auto* d = std::get_if<double>(&value.data)) return *d;
  return std::nullopt;
}

Result<void> set_member(StackEntry& entry, const std::string& key, const Value& value, const std::string& file) {
  for (const NumberField& field : kNumbers) {
    if (field.name != key) continue;
    const auto number = number_in(value);
    if (!number || !std::isfinite(*number) || *number < 0)
      return wrong(file, "\"" + key + "\" is not a number from 0 up");
    entry.stack.*field.member = *number;
    return {};
  }
  const auto* text = std::get_if<std::string>(&value.data);
  const auto* flag = std::get_if<bool>(&value.data);
  if (key == "below" && text != nullptr && version_in(*text)) {
    entry.below = *text;
  } else if (key == "contains" && text != nullptr) {
    entry.contains = lower(*text);
  } else if (key == "hardware" && text != nullptr) {
    entry.hardware = *text;
  } else if (key == "all_reduce" && text != nullptr) {
    entry.stack.all_reduce = *text;
  } else if (key == "origin" && text != nullptr) {
    entry.stack.origin = *text;
  } else if (key == "unversioned" && flag != nullptr) {
    entry.unversioned = *flag;
  } else if (key == "graphs_in_prefill" && flag != nullptr) {
    entry.stack.graphs_in_prefill = *flag;
  } else if (key == "fuses" && flag != nullptr) {
    entry.stack.fuses = *flag;
  } else if (key == "static_scales" && flag != nullptr) {
    entry.stack.static_scales = *flag;
  } else {
    return wrong(file, "\"" + key + "\" is not a member of a stack, or not of its type");
  }
  return {};
}

Result<StackEntry> read_entry(const ValueObject& members, const std::string& file, const std::string& name) {
  StackEntry entry;
  entry.stack.name = name;
  for (const auto& [key, member] : members)
    if (auto set = set_member(entry, key, member, file); !set) return set.error();
  return entry;
}

Result<StackFile> read_stack(std::string_view text, const std::string& file, const std::string& name) {
  const auto json = parse_json(text, file);
  if (!json) return json.error();
  const auto* object = std::get_if<ValueObject>(&json->data);
  const Value* match = object == nullptr ? nullptr : find(*object, "match");
  const Value* versions = object == nullptr ? nullptr : find(*object, "versions");
  if (match == nullptr || versions == nullptr || !std::holds_alternative<ValueList>(match->data) ||
      !std::holds_alternative<ValueList>(versions->data))
    return wrong(file, "a stack is {\"match\": [names], \"versions\": [{...}]}");
  StackFile stack;
  stack.name = name;
  for (const Value& value : std::get<ValueList>(match->data))
    if (const auto* part = std::get_if<std::string>(&value.data)) stack.match.push_back(lower(*part));
  for (const Value& value : std::get<ValueList>(versions->data)) {
    const auto* members = std::get_if<ValueObject>(&value.data);
    if (members == nullptr) return wrong(file, "\"versions\" holds objects");
    auto entry = read_entry(*members, file, name);
    if (!entry) return entry.error();
    stack.entries.push_back(*std::move(entry));
  }
  if (stack.entries.empty()) return wrong(file, "\"versions\" is empty");
  return stack;
}

// Where the name of a framework begins to be that of the stack.
std::size_t match_position(const StackFile& file, const std::string& framework) {
  std::size_t best = framework.find(file.name);
  for (const std::string& text : file.match) best = std::min(best, framework.find(text));
  return best;
}

std::size_t entry_for(const StackFile& file, const std::string& framework, std::string_view hardware) {
  const auto& entries = file.entries;
  const auto index_of = [&](auto holds) {
    return static_cast<std::size_t>(std::find_if(entries.begin(), entries.end(), holds) - entries.begin());
  };
  std::size_t i = index_of([&](const StackEntry& e) { return !e.hardware.empty() && e.hardware == hardware; });
  if (i < entries.size()) return i;
  i = index_of(
      [&](const StackEntry& e) { return !e.contains.empty() && framework.find(e.contains) != std::string::npos; });
  if (i < entries.size()) return i;
  if (const auto version = version_in(framework))
    i = index_of([&](const StackEntry& e) {
      return e.hardware.empty() && e.contains.empty() && !e.unversioned &&
             (e.below.empty() || *version < *version_in(e.below));
    });
  else
    i = index_of([](const StackEntry& e) { return e.unversioned; });
  return std::min(i, entries.size() - 1);
}

Error unknown_stack(std::string_view framework) {
  const auto names = stack_names();
  const auto near = nearest(framework, names, 1);
  Error error = usage_error("no serving stack \"" + std::string(framework) + "\"" +
                            (near.empty() ? "" : "; did you mean \"" + near.front() + "\"?"));
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : ", ") + name;
  error.details = {"stacks: " + list};
  return error;
}

std::string members_of(const Stack& stack) {
  std::string text;
  for (const NumberField& field : kNumbers)
    if (const double value = stack.*field.member; value != Stack{}.*field.member)
      text += "\"" + std::string(field.name) + "\": " + to_json(shortened(value)) + ", ";
  if (!stack.fuses) text += "\"fuses\": false, ";
  if (stack.static_scales) text += "\"static_scales\": true, ";
  text += "\"all_reduce\": " + to_json(Value{stack.all_reduce});
  return text + ",\n      \"origin\": " + to_json(Value{stack.origin});
}

}  // namespace

Result<Stack> read_stack_entry(const Value& value, const std::string& file, const std::string& name) {
  const auto* members = std::get_if<ValueObject>(&value.data);
  if (members == nullptr) return wrong(file, "\"stack\" is not an object");
  auto entry = read_entry(*members, file, name);
  if (!entry) return entry.error();
  return entry->stack;
}

std::string to_json(const Stack& stack) { return "{ " + members_of(stack) + " }"; }

Result<std::vector<StackFile>> read_stack_files() {
  std::vector<StackFile> files;
  for (const std::string& path : list_data(kFolder)) {
    if (!path.ends_with(kEnding)) continue;
    const std::string name = path.substr(kFolder.size(), path.size() - kFolder.size() - kEnding.size());
    auto stack = read_stack(*find_data(path), data_origin(path), name);
    if (!stack) return stack.error();
    files.push_back(std::move(*stack));
  }
  return files;
}

// "lmdeploy TurboMind (FasterTransformer kernels)" is lmdeploy: the first name counts.
std::optional<StackPlace> find_entry(const std::vector<StackFile>& files, std::string_view framework,
                                     std::string_view hardware) {
  const std::string wanted = lower(framework);
  std::size_t best = std::string::npos, file = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::size_t at = match_position(files[i], wanted);
    if (at >= best) continue;
    best = at;
    file = i;
  }
  if (best == std::string::npos) return std::nullopt;
  return StackPlace{file, entry_for(files[file], wanted, hardware)};
}

double pass_band(double kernels, const Stack& stack) {
  const double more = std::max(0.0, kernels * kernels - stack.kernel_band * stack.kernel_band);
  return std::sqrt(more + stack.band * stack.band);
}

double ratio_band(double first, double second) {
  constexpr double share = 0.65;  // holds 85 to 95 % of the speed-ups on unseen TP sizes in docs/fidelity.md
  return share * std::hypot(first, second);
}

std::string to_json(const StackFile& file) {
  std::string text = "{ \"match\": [";
  for (std::size_t i = 0; i < file.match.size(); ++i) text += (i > 0 ? ", " : "") + to_json(Value{file.match[i]});
  text += "],\n  \"versions\": [";
  bool first = true;
  for (const StackEntry& entry : file.entries) {
    text += first ? "\n    { " : ",\n    { ";
    first = false;
    if (!entry.below.empty()) text += "\"below\": " + to_json(Value{entry.below}) + ", ";
    if (!entry.contains.empty()) text += "\"contains\": " + to_json(Value{entry.contains}) + ", ";
    if (!entry.hardware.empty()) text += "\"hardware\": " + to_json(Value{entry.hardware}) + ", ";
    if (entry.unversioned) text += "\"unversioned\": true, ";
    text += members_of(entry.stack) + " }";
  }
  return text + " ] }\n";
}

Result<Stack> find_stack(std::string_view framework, std::string_view hardware) {
  static const Result<std::vector<StackFile>> files = read_stack_files();
  if (!files) return files.error();
  if (lower(framework) == "forward") return Stack{};
  if (const auto place = find_entry(*files, framework, hardware))
    return (*files)[place->file].entries[place->entry].stack;
  return unknown_stack(framework);
}

Result<Stack> stack_named(const std::string& name, std::string_view hardware) {
  constexpr const char* newest = " 1000000.0";
  const auto names = stack_names();
  const bool bare = std::find(names.begin(), names.end(), lower(name)) != names.end() && lower(name) != "forward";
  return find_stack(bare ? name + newest : name, hardware);
}

std::vector<std::string> stack_names() {
  std::vector<std::string> names = {"forward"};
  for (const std::string& path : list_data(kFolder))
    if (path.ends_with(kEnding))
      names.push_back(path.substr(kFolder.size(), path.size() - kFolder.size() - kEnding.size()));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace tpsim
