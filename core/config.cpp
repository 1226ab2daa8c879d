#include "core/config.h"

#include <algorithm>
#include <array>
#include <optional>

#include "core/config_type.h"
#include "core/json.h"
#include "core/source_text.h"

namespace tpsim {

namespace {

// Where composite configs keep their language model, in public files and in Transformers. The search goes inwards
// (thinker_config holds a text_config).
constexpr std::array<std::string_view, 8> kNestedConfigs = {
    "text_config",           "llm_config",     "language_config", "text_model_config",
    "language_model_config", "thinker_config", "decoder",         "generator"};
constexpr int kDeepestNesting = 4;

// What a nested config takes from the one around it where it has no such field itself.
constexpr std::array<std::string_view, 2> kInherited = {"tie_word_embeddings", "quantization_config"};

constexpr std::size_t kLargestConfig = 64u << 20;

// The file's object and, inside it, the objects that lead to the language model.
struct Nesting {
  std::vector<const ValueObject*> objects;  // outermost first
  std::string path;                         // "thinker_config.text_config", "" where nothing is nested
};

std::optional<std::pair<std::string_view, const ValueObject*>> nested_config(const ValueObject& object) {
  for (const std::string_view name : kNestedConfigs) {
    const Value* value = find(object, name);
    if (value == nullptr) continue;
    if (const auto* inner = std::get_if<ValueObject>(&value->data)) return std::pair{name, inner};
  }
  return std::nullopt;
}

Nesting find_nesting(const ValueObject& root) {
  Nesting nesting{{&root}, {}};
  for (int depth = 0; depth < kDeepestNesting; ++depth) {
    const auto inner = nested_config(*nesting.objects.back());
    if (!inner) break;
    nesting.objects.push_back(inner->second);
    nesting.path += (nesting.path.empty() ? "" : ".") + std::string(inner->first);
  }
  return nesting;
}

bool is_true(const Value& value) {
  const bool* flag = std::get_if<bool>(&value.data);
  return flag != nullptr && *flag;
}

// Transformers ties the model it loads, so what stands beside text_config counts, whatever text_config says itself.
void tie_as_outside(ValueObject& fields, const Nesting& nesting, const std::string& outer_type) {
  constexpr std::string_view kTie = "tie_word_embeddings";
  const Value* own = find(fields, kTie);
  if (own == nullptr || !nesting.path.ends_with("text_config")) return;
  const Value own_value = *own;
  fields.emplace_back(std::string(kTextConfigTies), own_value);
  const Value* outside = find(**(nesting.objects.rbegin() + 1), kTie);
  if (outside == nullptr || outside->is_null() || (is_true(own_value) && text_config_ties(outer_type))) return;
  std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return field.first == kTie; })->second = *outside;
}

void inherit(ValueObject& fields, const Nesting& nesting) {
  for (const std::string_view name : kInherited) {
    for (auto outer = nesting.objects.rbegin() + 1; outer != nesting.objects.rend(); ++outer) {
      const Value* value = find(fields, name) == nullptr ? find(**outer, name) : nullptr;
      if (value != nullptr) fields.emplace_back(std::string(name), *value);
    }
  }
}

Error wrong_type(const std::string& file, std::string_view field, const Value& value, std::string_view expected) {
  return input_error(
      base_name(file) + ": \"" + std::string(field) + "\" is " + type_name(value) + ", not " + std::string(expected),
      file);
}

// A string field; "" where absent or null.
Result<std::string> text_field(const ValueObject& object, std::string_view field, const std::string& file) {
  const Value* value = find(object, field);
  if (value == nullptr || value->is_null()) return std::string();
  if (const auto* text = std::get_if<std::string>(&value->data)) return *text;
  return wrong_type(file, field, *value, "a string");
}

// The innermost dtype (or torch_dtype) that says something, without "torch.".
Result<std::string> read_dtype(const ValueObject& fields, const Nesting& nesting, const std::string& file) {
  std::vector<const ValueObject*> objects = {&fields};
  objects.insert(objects.end(), nesting.objects.rbegin() + 1, nesting.objects.rend());
  for (const ValueObject* object : objects) {
    for (const std::string_view name : {"dtype", "torch_dtype"}) {
      auto dtype = text_field(*object, name, file);
      if (!dtype) return dtype;
      if (dtype->starts_with("torch.")) dtype->erase(0, 6);
      if (!dtype->empty() && *dtype != "auto") return dtype;
    }
  }
  return std::string();
}

Result<std::vector<std::string>> read_architectures(const ValueObject& object, const std::string& file) {
  const Value* value = find(object, "architectures");
  if (value == nullptr || value->is_null()) return std::vector<std::string>();
  if (const auto* name = std::get_if<std::string>(&value->data)) return std::vector<std::string>{*name};
  const auto* list = std::get_if<ValueList>(&value->data);
  if (list == nullptr) return wrong_type(file, "architectures", *value, "a list of class names");
  std::vector<std::string> names;
  for (const Value& element : *list) {
    const auto* name = std::get_if<std::string>(&element.data);
    if (name == nullptr) return wrong_type(file, "architectures", element, "a class name");
    names.push_back(*name);
  }
  return names;
}

// What a JSON object without model_type rather seems to be.
const char* other_purpose(const ValueObject& root) {
  if (find(root, "weight_map") != nullptr)
    return "it is a weight index: give the folder, or the file as *.safetensors.index.json";
  if (find(root, "peft_type") != nullptr) return "it is an adapter's configuration; give the base model's config.json";
  if (find(root, "tokenizer_class") != nullptr) return "it is a tokenizer's configuration";
  if (find(root, "producer") != nullptr) return "it is a quantisation companion; give the config.json beside it";
  const bool all_strings = !root.empty() && std::all_of(root.begin(), root.end(), [](const auto& member) {
    return std::holds_alternative<std::string>(member.second.data);
  });
  if (all_strings) return "it looks like a plan: -p";
  if (find(root, "n_layers") != nullptr || find(root, "dim") != nullptr) {
    return "its names are those of the vendor's own code; give the released Hugging Face config.json";
  }
  return nullptr;
}

Error no_model_type(const ValueObject& root, const std::string& file) {
  Error error = input_error(base_name(file) + " has no \"model_type\", and no \"architectures\" that implies one",
                            file + " (" + std::to_string(root.size()) + " fields read)");
  if (const char* purpose = other_purpose(root)) {
    error.details.emplace_back(purpose);
  } else {
    error.fixes.emplace_back("--set model_type=llama      (types: tpsim models list)");
  }
  return error;
}

Result<std::string> text_model_type(const ValueObject& fields, const Config& config, const ValueObject& root) {
  auto type = text_field(fields, "model_type", config.file);
  if (!type) return type;
  const bool nested = !config.nested_in.empty();
  const std::string& outer = config.outer_model_type;
  const bool usual = nested && (type->empty() || *type == nested_text_type(outer));
  if (usual && is_described_type(outer)) return outer;
  if (!type->empty()) return flat_text_type(*type);
  const auto own = read_architectures(fields, config.file);
  const std::string class_name = own && !own->empty() ? own->front() : "";
  if (const std::string described = described_type_of_class(class_name); !described.empty()) return described;
  if (nested && !outer.empty()) return nested_text_type(outer);
  if (!class_name.empty()) return snake_case_type(class_name);
  return no_model_type(root, config.file);
}

Result<Config> config_of(const ValueObject& root, const std::string& file, const std::vector<std::string>& set) {
  const Nesting nesting = find_nesting(root);
  Config config;
  config.file = file;
  config.nested_in = nesting.path;
  config.fields = *nesting.objects.back();
  auto architectures = read_architectures(root, file);
  if (!architectures) return std::move(architectures).error();
  config.architectures = *std::move(architectures);
  auto outer = text_field(root, "model_type", file);
  if (!outer) return std::move(outer).error();
  config.outer_model_type = *std::move(outer);
  tie_as_outside(config.fields, nesting, config.outer_model_type);
  inherit(config.fields, nesting);
  for (const std::string& assignment : set) {
    if (auto done = set_field(config, assignment); !done) return std::move(done).error();
  }
  auto type = text_model_type(config.fields, config, root);
  if (!type) return std::move(type).error();
  config.model_type = *std::move(type);
  if (config.outer_model_type.empty()) config.outer_model_type = config.model_type;
  auto dtype = read_dtype(config.fields, nesting, file);
  if (!dtype) return std::move(dtype).error();
  config.dtype = *std::move(dtype);
  return config;
}

}  // namespace

const Value* Config::find(std::string_view field) const { return tpsim::find(fields, field); }

Result<Config> read_config(std::string_view text, const std::string& file, const std::vector<std::string>& set) {
  JsonLimits limits;
  limits.bytes = kLargestConfig;
  const auto value = parse_json(text, file, limits);
  if (!value) return value.error();
  const auto* root = std::get_if<ValueObject>(&value->data);
  if (root == nullptr) return input_error(base_name(file) + " holds " + type_name(*value) + ", not an object", file);
  return config_of(*root, file, set);
}

}  // namespace tpsim
