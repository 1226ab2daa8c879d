#include "core/known_configs.h"

#include <algorithm>

#include "core/characters.h"
#include "core/data.h"
#include "core/json.h"
#include "core/model_source.h"
#include "core/suggest.h"

namespace tpsim {

namespace {

constexpr std::size_t kMostCandidates = 8;

// "meta-llama/Llama-2-7b-hf" -> "Llama-2-7b-hf".
std::string_view without_organisation(std::string_view id) { return id.substr(id.rfind('/') + 1); }

Error malformed(const std::string& file, const std::string& id, const std::string& why) {
  return input_error("\"" + id + "\": " + why, file);
}

Result<KnownModel> known_model(const std::string& id, const Value& entry, const std::string& file) {
  const auto* object = std::get_if<ValueObject>(&entry.data);
  if (object == nullptr) return malformed(file, id, std::string("expected an object, found ") + type_name(entry));
  KnownModel model{id, {}, {}, {}, file};
  for (const auto& [key, value] : *object) {
    if (key == "source" && std::holds_alternative<std::string>(value.data)) {
      model.source = std::get<std::string>(value.data);
    } else if (key == "config" && std::holds_alternative<ValueObject>(value.data)) {
      model.config = value;
    } else if (key == "aliases" && std::holds_alternative<ValueList>(value.data)) {
      for (const Value& alias : std::get<ValueList>(value.data)) {
        const auto* name = std::get_if<std::string>(&alias.data);
        if (name == nullptr)
          return malformed(file, id, std::string("an alias is ") + type_name(alias) + ", not a string");
        model.aliases.push_back(*name);
      }
    } else {
      return malformed(file, id, "unexpected \"" + key + "\": " + type_name(value));
    }
  }
  if (model.source.empty() || model.config.is_null())
    return malformed(file, id, "\"source\" and \"config\" are needed");
  return model;
}

std::vector<std::string> names_of(const KnownModel& model) {
  std::vector<std::string> names = {model.id};
  names.insert(names.end(), model.aliases.begin(), model.aliases.end());
  return names;
}

using Matches = bool (*)(std::string_view wanted, std::string_view name);

bool same_name(std::string_view wanted, std::string_view name) { return wanted == name; }
bool same_bare_name(std::string_view wanted, std::string_view name) { return wanted == without_organisation(name); }
bool begins_bare_name(std::string_view wanted, std::string_view name) {
  const std::string_view bare = without_organisation(name);
  return bare.starts_with(wanted) && bare.substr(wanted.size()).starts_with('-');
}

std::vector<const KnownModel*> matching(const std::vector<KnownModel>& models, std::string_view wanted,
                                        Matches matches) {
  std::vector<const KnownModel*> found;
  for (const KnownModel& model : models) {
    const auto names = names_of(model);
    const bool hit =
        std::any_of(names.begin(), names.end(), [&](const std::string& n) { return matches(wanted, lower(n)); });
    if (hit) found.push_back(&model);
  }
  return found;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

Error ambiguous(std::string_view name, const std::vector<const KnownModel*>& found) {
  std::vector<std::string> ids;
  for (const KnownModel* model : found) {
    if (ids.size() < kMostCandidates) ids.push_back(model->id);
  }
  const std::size_t more = found.size() - ids.size();
  Error error = usage_error("model \"" + std::string(name) + "\" could be any of " + std::to_string(found.size()) +
                            " built-in configurations");
  error.details.push_back(listed(ids) + (more > 0 ? ", and " + std::to_string(more) + " more" : ""));
  error.fixes.push_back("-m " + ids.front() + "      (all: tpsim models list)");
  return error;
}

// Whole ids are compared where the organisation was given, else the names without it.
std::vector<std::string> nearest_ids(std::string_view name, const std::vector<KnownModel>& models) {
  const bool whole = name.find('/') != std::string_view::npos;
  std::vector<std::string> names, ids;
  for (const KnownModel& model : models) names.emplace_back(whole ? model.id : without_organisation(model.id));
  for (const std::string& near : nearest(name, names)) {
    const auto index = std::find(names.begin(), names.end(), near) - names.begin();
    ids.push_back(models[static_cast<std::size_t>(index)].id);
  }
  return ids;
}

Error unknown(std::string_view name, const std::vector<KnownModel>& models) {
  const auto near = nearest_ids(name, models);
  const std::string shown(name.substr(0, 120));
  Error error = usage_error("no built-in model \"" + shown + "\"" + (near.empty() ? "" : "; nearest: " + listed(near)));
  error.details.emplace_back("tpsim never downloads");
  error.fixes.emplace_back("-m path/to/config.json      (built-in: tpsim models list)");
  return error;
}

}  // namespace

Result<std::vector<KnownModel>> parse_known_models(std::string_view text, const std::string& file) {
  const auto root = parse_json(text, file);
  if (!root) return root.error();
  const auto* object = std::get_if<ValueObject>(&root->data);
  if (object == nullptr) return input_error(std::string("expected an object, found ") + type_name(*root), file);
  std::vector<KnownModel> models;
  for (const auto& [id, entry] : *object) {
    auto model = known_model(id, entry, file);
    if (!model) return std::move(model).error();
    models.push_back(*std::move(model));
  }
  return models;
}

Result<std::vector<KnownModel>> read_known_models() {
  std::vector<KnownModel> models;
  for (const std::string& path : list_data("plans/")) {
    if (!path.ends_with("/configs.json")) continue;
    auto more = parse_known_models(find_data(path).value_or(""), data_origin(path));
    if (!more) return more;
    std::move(more->begin(), more->end(), std::back_inserter(models));
  }
  std::sort(models.begin(), models.end(), [](const KnownModel& a, const KnownModel& b) { return a.id < b.id; });
  const auto twin = std::adjacent_find(models.begin(), models.end(),
                                       [](const KnownModel& a, const KnownModel& b) { return a.id == b.id; });
  if (twin != models.end()) return malformed(twin->data, twin->id, "stands in " + (twin + 1)->data + " as well");
  return models;
}

Result<KnownModel> find_known_model(std::string_view name) {
  auto models = read_known_models();
  if (!models) return std::move(models).error();
  const std::string wanted = lower(name);
  for (const Matches matches : {same_name, same_bare_name, begins_bare_name}) {
    const auto found = matching(*models, wanted, matches);
    if (found.size() == 1) return *found.front();
    if (found.size() > 1) return ambiguous(name, found);
  }
  return unknown(name, *models);
}

// A data file that cannot be used is reported where a model is looked up, not here.
std::vector<KnownConfig> known_configs() {
  const auto models = read_known_models();
  std::vector<KnownConfig> configs;
  if (!models) return configs;
  for (const KnownModel& model : *models) {
    const Value* type = find(std::get<ValueObject>(model.config.data), "model_type");
    const auto* name = type != nullptr ? std::get_if<std::string>(&type->data) : nullptr;
    configs.push_back({model.id, name != nullptr ? *name : "", model.source});
  }
  return configs;
}

}  // namespace tpsim
