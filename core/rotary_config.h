// What a config says about rotary embeddings, in the spellings of all versions (rope_parameters, rope_scaling,
// rope_theta).
#pragma once

#include "core/config.h"
#include "core/rotary.h"

namespace tpsim {

// Completes `rotary`, whose columns, layout and layer type are set. A base that it has already holds where the config
// has no parameters for its layer type, with plain angles. `theta`, `max_positions`: the config class's values where
// the config has none.
void read_rotary(const Config& config, double theta, double max_positions, Rotary& rotary);

}  // namespace tpsim
