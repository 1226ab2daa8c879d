// Dotted paths of modules and parameters: "model.layers.0.mlp".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tpsim {

// "model.layers.0" -> "model", "layers", "0".
std::vector<std::string> path_components(std::string_view path);

// `module` below `prefix`; either may be empty.
std::string full_path(std::string_view prefix, std::string_view module);

}  // namespace tpsim
