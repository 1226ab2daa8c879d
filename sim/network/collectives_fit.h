// From measured collectives to constants, and how far the constants are from rows they have not seen.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/measured/table.h"
#include "sim/network/collectives.h"

namespace tpsim {

struct MeasuredCollective {
  std::string gpu, source, topo;
  CollectiveShape shape;
  double us = 0;  // 0 = the table has no times
};

// Columns gpu, source, topo, op, impl, dtype, bytes, ranks, nodes, time_us; those missing have usual values. Errors
// name file, line and column.
class CollectiveReader {
public:
  explicit CollectiveReader(const MeasuredTable& table);
  Result<MeasuredCollective> read(const MeasuredRow& row) const;

private:
  MeasuredColumn gpu_, source_, topo_, op_, impl_, dtype_, bytes_, ranks_, nodes_, time_us_;
};
Result<std::vector<MeasuredCollective>> read_collectives(const MeasuredTable& table);

// "nccl", "vllm_custom_graph", ... as the column `impl` spells it; false = unknown.
bool set_implementation(std::string_view impl, CollectiveShape& shape);
std::string implementation_name(CollectiveStack stack, bool eager);

// Rows of GPUs with the same links as `gpu`, which is left out.
std::vector<MeasuredCollective> sisters_of(std::span<const MeasuredCollective> rows, std::string_view gpu);

// From rows of one GPU. `sisters` (rows of GPUs with the same links) tell about the rank counts and operations that
// this one lacks.
CollectiveCalibration fit_collectives(std::span<const MeasuredCollective> rows,
                                      std::span<const MeasuredCollective> sisters = {});
// One calibration per GPU code.
std::map<std::string, CollectiveCalibration> fit_collective_sets(std::span<const MeasuredCollective> rows);

// Rows of one GPU: a line per topology, operation and implementation on sizes left out in turn (every fifth octave),
// and on rank counts left out in turn, beside start and bytes at the link's rate (roofline) and the data sheet's
// network (derated). `fitted` on all rows has the bands.
std::vector<FidelityLine> fidelity_collectives(std::span<const MeasuredCollective> rows,
                                               std::span<const MeasuredCollective> sisters, const Hardware& hardware,
                                               const CollectiveCalibration& fitted);

}  // namespace tpsim
