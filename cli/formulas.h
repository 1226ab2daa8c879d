// Where a predicted time comes from, with the values put in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/collective.h"
#include "sim/hardware.h"
#include "sim/network/collectives.h"
#include "sim/stack.h"

namespace tpsim::cli {

// A headline, then one line per part; `payload_bytes` as in CollectiveEvent.
std::vector<std::string> collective_formula(CollectiveOp op, std::int64_t payload_bytes, int ranks, const Stack& stack,
                                            const Hardware& hardware, const CollectiveNetwork& network);

}  // namespace tpsim::cli
