// How a strategy cuts one parameter over the ranks when a Transformers version loads it (hf_strategies.md section 3,
// hf_v5_16_to_5_23.md sections 4 and 7).
#pragma once

#include <optional>

#include "core/machine.h"
#include "core/model.h"
#include "core/strategy.h"

namespace tpsim {

struct ParameterToPlace {
  const ModuleType* owner = nullptr;
  const ParameterSpec* parameter = nullptr;
  // How its values lie on disk: pieces per expert, `pieces` of them fused along the output features; 1, false = as in
  // the module.
  bool stacked = false;
  int pieces = 1;
  int fused_parts = 1;             // the tensor on disk holds that many of them, one behind the other
  bool turned = false;             // it may lie the other way round on disk: loading compares shapes to see
  int joined = 1, joined_dim = 0;  // it is that many tensors on disk, one behind the other along this dimension
};

struct PlacedParameter {
  TensorState state;
  Placement placement = Replicate{};
  std::optional<Cause> refused;             // loading fails
  std::optional<std::int64_t> padded_rows;  // a rank's rows with padding, which is no part of the tensor
  std::optional<Partition> over_experts;  // experts split over more ranks than one tensor group has: all ranks' shares
};

// `kind` none: no rule, a full copy on every rank.
PlacedParameter place_parameter(Machine& m, const ParameterToPlace& parameter, std::optional<StrategyKind> kind,
                                const CustomStrategy* custom = nullptr);

}  // namespace tpsim
