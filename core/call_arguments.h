// Arguments of a call in an architecture file, matched to parameters as Python does.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/expression.h"
#include "core/result.h"

namespace tpsim {

struct CallParameter {
  std::string_view name;
  bool required = true;
};

// For every parameter the index of its argument in call.children, -1 where it is absent. Errors: too many, missing,
// twice, unknown keyword.
Result<std::vector<int>> match_arguments(const Node& call, std::span<const CallParameter> parameters);

}  // namespace tpsim
