// Names of a model's modules and parameters with list indices as `*`, each once, without walking equal layers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/model.h"

namespace tpsim {

struct ModuleName {
  std::string pattern;                  // "model.layers.*.mlp.up_proj"; parameters: "model.layers.*.mlp.up_proj.weight"
  ModuleKind kind = ModuleKind::block;  // of the module, or of the parameter's owner
  std::int64_t count = 1;               // modules or parameters of that name and kind
  bool is_parameter = false;
  bool operator==(const ModuleName&) const = default;
};

// In the order of named_modules(): a module, its own parameters, its children. The root itself has no name and is left
// out, parameters that are tied to another are too. Lists of modules are listed as modules ("model.layers").
std::vector<ModuleName> module_names(const Model& model);

// The same patterns, sorted, without duplicates.
std::vector<std::string> sorted_patterns(const std::vector<ModuleName>& names);

// The child of that name of the model's base ("model", or the root where `base` is empty); nullptr if there is none.
const ModuleType* base_child(const Model& model, std::string_view name);

}  // namespace tpsim
