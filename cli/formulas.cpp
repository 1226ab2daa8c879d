#include "cli/formulas.h"

#include <algorithm>

namespace tpsim::cli {

std::vector<std::string> collective_formula(CollectiveOp op, std::int64_t payload_bytes, int ranks, const Stack& stack,
                                            const Hardware& hardware, const CollectiveNetwork& network) {
  CollectiveShape shape;
  shape.op = op;
  shape.bytes = static_cast<double>(payload_bytes);
  const int per_node = std::max(hardware.devices_per_node, 1);
  shape.ranks = ranks;
  shape.nodes = std::min(ranks, (ranks + per_node - 1) / per_node);
  shape.eager = stack.launch_us > 0;
  shape.stack = parse_collective_stack(stack.all_reduce).value_or(CollectiveStack::fastest);
  return explain_collective(shape, network);
}

}  // namespace tpsim::cli
