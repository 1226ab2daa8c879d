#include "core/call.h"

#include <algorithm>

namespace tpsim {

bool ForwardValue::same_state(const ForwardValue& o) const {
  if (kind != o.kind) return false;
  if (kind == Kind::tensor) return tensor.same_state(o.tensor);
  return std::equal(items.begin(), items.end(), o.items.begin(), o.items.end(),
                    [](const ForwardValue& a, const ForwardValue& b) { return a.same_state(b); });
}

int ModuleCall::parameter_index(std::string_view name) const {
  for (std::size_t i = 0; i < type->parameters.size(); ++i)
    if (type->parameters[i].name == name) return static_cast<int>(i);
  return -1;
}

const TensorState* ModuleCall::parameter(std::string_view name) const {
  const int i = parameter_index(name);
  return i < 0 || hidden[static_cast<std::size_t>(i)] != 0 ? nullptr : &parameters[static_cast<std::size_t>(i)];
}

}  // namespace tpsim
