// From measured collectives to constants, and how far the constants are from rows they have not seen.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "sim/measured/table.h"
#include "sim/network/collectives.h"

namespace tpsim {

struct CollectiveRow {
  std::string gpu, source, topo;
  CollectiveShape shape;
  double us = 0;
  double low_us = 0, high_us = 0;  // of repeated runs, 0 = not given
};

// Rows of the form of collective.csv (gpu, source, topo, op, impl, dtype, bytes, ranks, nodes, time_us). Errors name
// file, line and column.
Result<std::vector<CollectiveRow>> read_collective_rows(const MeasuredTable& table);
// "nccl", "vllm_custom_graph", ... as the column `impl` spells it; false = unknown.
bool set_implementation(std::string_view impl, CollectiveShape& shape);
std::string implementation_name(CollectiveStack stack, bool eager);

// Rows of one GPU. `prior`: the network constants start from (a data sheet, another GPU); rows decide what they can.
// `sisters`: rows of GPUs with the same links, for rank counts that this one lacks.
CollectiveCalibration fit_collectives(std::span<const CollectiveRow> rows, const CollectiveNetwork& prior,
                                      std::span<const CollectiveRow> sisters = {});

// One line per topology, operation and implementation, on rank counts and on size ranges left out in turn, beside the
// plain alpha-beta model at the link's rate (roofline) and the spec network (derated).
std::vector<FidelityLine> fidelity_collectives(std::span<const CollectiveRow> rows, const Hardware& hardware);

}  // namespace tpsim
