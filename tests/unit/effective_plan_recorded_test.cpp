// Plans as the real library resolved them (../shared/oracle); skipped where that folder is absent.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/effective_plan.h"
#include "core/json.h"
#include "core/module_names.h"
#include "tests/catch.hpp"
#include "tests/unit/skeleton_model.h"

using namespace tpsim;

namespace {

const std::filesystem::path kRecorded = "../shared/oracle";

Value read_file(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  auto value = parse_json(text.str(), path.string());
  REQUIRE(value);
  return std::move(*value);
}

const ValueObject& object(const Value& value) { return std::get<ValueObject>(value.data); }
const std::string& text(const Value& value) { return std::get<std::string>(value.data); }

Plan plan_of(const Value& value) {
  Plan plan;
  for (const auto& [key, strategy] : object(value)) plan.rules.push_back({key, text(strategy), {}, {}});
  return plan;
}

bool is_true(const ValueObject& config, std::string_view field) {
  const Value* value = find(config, field);
  return value != nullptr && std::holds_alternative<bool>(value->data) && std::get<bool>(value->data);
}

Model model_of(const ValueObject& file) {
  const auto& parameters = object(*find(file, "parameters"));
  const std::string& first = parameters.front().first;
  SkeletonBuilder builder("TheModel", first.substr(0, first.find('.')));
  for (const auto& [name, shape] : parameters) {
    Shape extents;
    for (const auto& extent : std::get<ValueList>(shape.data)) extents.push_back(std::get<std::int64_t>(extent.data));
    builder.add({name, extents});
  }
  builder.model().model_type = text(*find(file, "model_type"));
  builder.model().tied = is_true(object(*find(file, "config")), "tie_word_embeddings");
  return std::move(builder).take();
}

// `name`: "auto/tp4", "ep/tp2" (as many expert ranks as tensor ranks).
AnalysisRequest request_of(const ValueObject& file, const std::string& name, const ValueObject& run) {
  AnalysisRequest request;
  request.dialect = *parse_dialect(text(*find(file, "transformers")));
  request.parallelism.tp = std::stoi(name.substr(name.rfind("/tp") + 3));
  if (name.starts_with("ep/")) request.parallelism.ep = request.parallelism.tp;
  const Value* given = find(run, "plan_given");
  if (given == nullptr) return request;
  request.plan.kind = PlanKind::manual;
  request.plan.plan = plan_of(*given);
  const Value* how = find(file, "given");
  request.plan.base_plan = how != nullptr && text(*how).starts_with("as base_model_tp_plan");
  return request;
}

// The recorded plan without the config class's keys that keep no prefix and so match nothing.
Plan without_dead_keys(const Value& recorded, const Model& model) {
  Plan plan = plan_of(recorded), live;
  for (const auto& rule : plan.rules)
    if (plan.find(model.base + "." + rule.key) == nullptr) live.rules.push_back(rule);
  return live;
}

Plan rules_of(const EffectivePlan& effective) {
  Plan plan;
  for (const auto& resolved : effective.rules) plan.rules.push_back(resolved.rule);
  return plan;
}

bool refused_by_library(const ValueObject& run) {
  const Value* error = find(run, "error");
  if (error == nullptr) return false;
  const std::string& words = text(*error);
  for (const auto* start :
       {"Unsupported", "match nothing", "has no `tp_plan`", "has no `ep_plan`", "expert-parallel plan"})
    if (words.starts_with("ValueError") && words.find(start) != std::string::npos) return true;
  return false;
}

// The skeleton lacks modules without parameters (activations, dropouts), which the library knows.
bool only_names_children_of_modules(const EffectivePlan& effective, const Model& model) {
  const auto known = sorted_patterns(module_names(model));
  return std::ranges::all_of(effective.refusals, [&](const Diagnostic& d) {
    return d.code == "TP201" && std::ranges::binary_search(known, d.where.substr(0, d.where.rfind('.')));
  });
}

}  // namespace

TEST_CASE("effective plan: equals the plan that the library resolved, in its order", "[plan][effective][recorded]") {
  if (!std::filesystem::exists(kRecorded)) {
    WARN("skipped: " << kRecorded.string() << " is not there");
    return;
  }
  int plans = 0, refusals = 0, types = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kRecorded)) {
    if (entry.path().extension() != ".json" || entry.path().string().find("checkpoints") != std::string::npos) continue;
    const Value value = read_file(entry.path());
    const auto* file = std::get_if<ValueObject>(&value.data);
    const Value* runs = file ? find(*file, "runs") : nullptr;
    if (runs == nullptr || find(*file, "parameters") == nullptr) continue;
    ++types;
    const Model model = model_of(*file);
    for (const auto& [name, run] : object(*runs)) {
      INFO(entry.path().string() << " " << name);
      const auto effective = effective_plan(model, request_of(*file, name, object(run)));
      const bool refused = refused_by_library(object(run));
      CHECK((effective.refusals.empty() != refused || (!refused && only_names_children_of_modules(effective, model))));
      ++refusals;
      const Value* recorded = find(object(run), "plan");
      if (recorded == nullptr || name.starts_with("ep/")) continue;  // recorded without the expert plan
      ++plans;
      CHECK(to_json(rules_of(effective)) == to_json(without_dead_keys(*recorded, model)));
    }
  }
  WARN(plans << " plans and " << refusals << " verdicts of " << types << " files compared");
  CHECK(plans > 0);
}
