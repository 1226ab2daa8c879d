// Finding parameters by part of their name: "layers.0.self_attn.k_proj" means model.layers.0.self_attn.k_proj.weight.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/analysis.h"

namespace tpsim::cli {

// The name of the set's parameters that `wanted` means ("model.layers.0.self_attn.k_proj.weight", with `*` where it
// leaves an index open); none if it means none. `wanted` is a run of whole components; a number stands for an index,
// `*` for any.
std::optional<std::string> match_parameters(const ShardSpec& spec, std::string_view wanted);

}  // namespace tpsim::cli
