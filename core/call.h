// The call of one module in a forward pass: what goes in, what comes out, and its parameters as the ranks hold them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/model.h"
#include "core/tensor_state.h"

namespace tpsim {

// A Python value of a forward pass: None, a tensor or a tuple.
struct ForwardValue {
  enum class Kind { none, tensor, tuple } kind = Kind::none;
  TensorState tensor;
  std::vector<ForwardValue> items;

  ForwardValue() = default;
  ForwardValue(TensorState t) : kind(Kind::tensor), tensor(std::move(t)) {}  // NOLINT: implicit on purpose
  explicit ForwardValue(std::vector<ForwardValue> v) : kind(Kind::tuple), items(std::move(v)) {}
  bool is_tensor() const { return kind == Kind::tensor; }
  bool same_state(const ForwardValue& o) const;
};

struct ModuleCall {
  const ModuleType* type = nullptr;
  std::vector<ForwardValue> positional;
  std::vector<std::pair<std::string, ForwardValue>> keyword;
  // Parameters of this very module, in the order of type->parameters.
  std::vector<TensorState> parameters;
  std::vector<char> hidden;  // parameters that the forward does not see (a row-split layer's bias)
  ForwardValue output;

  const TensorState* parameter(std::string_view name) const;
  int parameter_index(std::string_view name) const;
};

}  // namespace tpsim
