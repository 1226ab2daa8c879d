#include "core/unknown_type.h"

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>

#include "core/architecture.h"
#include "core/config_type.h"
#include "core/model_fields.h"
#include "core/suggest.h"

namespace tpsim {
namespace {

// Without these a family's class defaults would stand in for the model's own sizes.
constexpr std::array<std::string_view, 5> kSizes = {"hidden_size", "num_hidden_layers", "num_attention_heads",
                                                    "intermediate_size", "vocab_size"};
// Names shorter than this are as near to one another by chance.
constexpr std::size_t kShortestMisspelling = 4;

// "configuration_x.XConfig" -> "X"
std::string class_of_reference(const std::string& reference) {
  std::string name = reference.substr(reference.rfind('.') + 1);
  if (name.ends_with("Config")) name.resize(name.size() - 6);
  return name;
}

// Class names in the order of their weight: what is built, then what the config's own code is called.
std::vector<std::pair<std::string, std::string>> named_classes(const Config& config) {
  std::vector<std::pair<std::string, std::string>> classes;
  for (const std::string& name : config.architectures) classes.emplace_back(name, "architectures: " + name);
  const Value* map = config.find("auto_map");
  const auto* entries = map != nullptr ? std::get_if<ValueObject>(&map->data) : nullptr;
  if (entries == nullptr) return classes;
  for (const auto& [key, value] : *entries)
    if (const auto* reference = std::get_if<std::string>(&value.data))
      classes.emplace_back(class_of_reference(*reference), "auto_map: " + *reference);
  return classes;
}

// "llama_with_memory" begins with "llama", word by word.
std::string described_beginning(std::string type) {
  while (!type.empty() && !is_described_type(type)) {
    const auto end = type.rfind('_');
    type.resize(end == std::string::npos ? 0 : end);
  }
  return type;
}

std::optional<FamilyGuess> named_family(const Config& config) {
  for (const auto& [name, because] : named_classes(config))
    if (std::string type = described_type_of_class(name); !type.empty())
      return FamilyGuess{std::move(type), because, std::nullopt, {}};
  if (std::string type = described_beginning(config.model_type); !type.empty())
    return FamilyGuess{std::move(type), "model_type begins with \"" + type + "\"", std::nullopt, {}};
  return std::nullopt;
}

// A size that the family has and the config does not give; "" if none.
std::string lacking_size(const Architecture& architecture, const Config& config) {
  const FieldValues values(architecture.data(), config);
  for (const std::string_view size : kSizes) {
    const std::string name(size);
    const auto field = architecture.data().field_index.find(name);
    if (field != architecture.data().field_index.end() && values.given(field->second) == nullptr) return name;
  }
  return {};
}

// A slip of the pen: nothing in the config says that the type is meant as it stands.
std::vector<std::string> near_types(const Config& config) {
  const auto& classes = config.architectures;
  const bool is_meant = std::any_of(classes.begin(), classes.end(), [&](const std::string& name) {
    return snake_case_type(name) == config.model_type;
  });
  if (is_meant || config.model_type.size() < kShortestMisspelling) return {};
  return nearest(config.model_type, described_model_types());
}

std::string joined_names(const std::vector<std::string>& names) {
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

// Names on disk that the model has, with the shape where the tensor there has the parameter's own.
std::unordered_map<std::string, const Shape*> disk_tensors(const Model& model,
                                                           const std::vector<NamedParameter>& parameters) {
  std::unordered_map<std::string, const Shape*> tensors;
  for (const NamedParameter& p : parameters) {
    const CheckpointRule* rule = checkpoint_rule(model, p.name);
    const bool same_form = rule == nullptr || rule->how == CheckpointConversion::rename;
    for (std::string& name : checkpoint_names(model, p.name))
      tensors.emplace(std::move(name), same_form ? &p.shape : nullptr);
  }
  return tensors;
}

}  // namespace

std::optional<FamilyGuess> guess_family(const Config& config, const Dialect& dialect) {
  auto guess = named_family(config);
  if (!guess) return std::nullopt;
  const auto architecture = load_architecture(guess->model_type, dialect);
  if (!architecture) return std::nullopt;
  Config as_family = config;
  as_family.model_type = guess->model_type;
  guess->lacking = lacking_size(*architecture, as_family);
  if (!guess->lacking.empty()) return guess;
  auto model = build_model(*architecture, as_family);
  if (model)
    guess->model = std::move(*model);
  else
    guess->lacking = "a fitting value: " + model.error().message;
  return guess;
}

Error unknown_type_error(const Config& config, const Dialect& dialect) {
  Error error = input_error("no description of model type \"" + config.model_type + "\"", config.file);
  const auto guess = guess_family(config, dialect);
  if (guess && guess->model) {
    error.details.push_back(guess->because + "; its fields suffice for \"" + guess->model_type + "\"");
    error.details.push_back("whether its weights are named and shaped so, headers of the checkpoint tell (-m FOLDER)");
    error.fixes.push_back("--set model_type=" + guess->model_type);
  } else if (guess) {
    error.details.push_back(guess->because + "; but \"" + guess->model_type + "\" needs " + guess->lacking);
  } else if (const auto near = near_types(config); !near.empty()) {
    error.details.push_back("did you mean: " + joined_names(near));
  }
  error.fixes.push_back("-m FOLDER   with *.safetensors: names, shards and weights from the headers alone");
  error.fixes.push_back("describe the type: docs/add_a_model_type.md");
  return error;
}

std::string agreement(const Model& model, const Checkpoint& checkpoint) {
  const auto parameters = named_parameters(model);
  const auto expected = disk_tensors(model, parameters);
  std::size_t known = 0, shapes = 0;
  std::string stranger, misfit;
  for (const CheckpointTensor& tensor : checkpoint.tensors) {
    const auto found = expected.find(tensor.name);
    if (found == expected.end()) {
      if (stranger.empty()) stranger = tensor.name;
      continue;
    }
    ++known;
    const bool agrees = found->second == nullptr || *found->second == tensor.shape;
    if (agrees)
      ++shapes;
    else if (misfit.empty())
      misfit = tensor.name + " is " + to_string(tensor.shape) + ", not " + to_string(*found->second);
  }
  for (const std::string& name : checkpoint.names_only) {
    if (expected.contains(name))
      ++known;
    else if (stranger.empty())
      stranger = name;
  }
  const std::size_t total = checkpoint.tensors.size() + checkpoint.names_only.size();
  std::string text = std::to_string(known) + " of " + std::to_string(total) + " names agree";
  if (!stranger.empty()) text += " (not " + stranger + ")";
  if (known < expected.size()) text += ", " + std::to_string(expected.size() - known) + " are absent";
  text += "; " + std::to_string(shapes) + " of " + std::to_string(checkpoint.tensors.size()) + " shapes";
  if (!misfit.empty()) text += " (" + misfit + ")";
  return text;
}

}  // namespace tpsim
