// What a config says about rotary embeddings, in the spellings of all versions (rope_parameters, rope_scaling, rope_theta).
#pragma once

#include <string_view>

#include "core/config.h"
#include "core/rotary.h"

namespace tpsim {

// Completes `rotary`, whose columns, layout and (where the description gives one) base are set. `layer_type` chooses among
// parameters by layer type; "" = the first. `theta`, `max_positions`: the config class's values where the config has none.
void read_rotary(const Config& config, std::string_view layer_type, bool own_theta, double theta, double max_positions,
                 Rotary& rotary);

}  // namespace tpsim
