// A tensor on a mesh and its way from one set of placements to another, as PyTorch's DTensor.redistribute goes it: the
// same local shapes, the same collectives in the same order (torch 2.11, torch/distributed/tensor/_redistribute.py,
// greedy plan).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/collective.h"
#include "core/dtype.h"
#include "core/mesh.h"
#include "core/placement.h"
#include "core/result.h"
#include "core/shape.h"

namespace tpsim {

// One rank's piece of a tensor. `ranges` are the global indices per tensor dimension in storage order, adjacent ones
// merged, empty ones left out.
struct LocalShard {
  Shape shape;
  std::vector<std::vector<Range>> ranges;
  bool operator==(const LocalShard&) const = default;
};

// Placements apply from the first mesh dimension to the last, each to what the ones before have left.
// Assumes placements that check_placements accepts.
LocalShard local_shard(const Shape& shape, const DeviceMesh& mesh, const std::vector<Placement>& placements, int rank);

// The placements with dims counted from the front and StridedShard(d, 1) as Shard(d). Errors: not one per mesh
// dimension, a dim that the tensor lacks.
Result<std::vector<Placement>> check_placements(const Shape& shape, const DeviceMesh& mesh,
                                                std::vector<Placement> placements);

// On CPUs torch carries Shard(i) -> Shard(j) out as an all-gather and a cut, on GPUs as an all-to-all.
enum class DeviceKind { cpu, cuda };

struct RedistributeStep {
  int mesh_dim = 0;
  Placement from, to;
  std::vector<Placement> after;    // placements of the whole mesh when the step is done
  std::optional<CollectiveOp> op;  // none: local work only
  int group = 1;
  Shape input;                     // rank 0's input of the collective, padding included
  std::int64_t numel = 0;          // of that input
  std::int64_t payload_bytes = 0;  // of the full (gathered, reduced, exchanged) tensor
  std::int64_t wire_bytes_per_rank = 0;
};

struct Redistribution {
  std::vector<Placement> from, to;  // as check_placements gives them
  std::vector<RedistributeStep> steps;
  std::vector<LocalShard> before, after;  // one per rank
};

struct RedistributeOptions {
  DeviceKind device = DeviceKind::cuda;
  DType dtype = DType::bf16;
};

// Errors: what check_placements refuses, Shard -> Partial, Partial -> Partial with another reduction, Replicate ->
// Partial(product), a tensor of more bytes than 64 bits count.
// Deviation: torch 2.11 refuses most transitions of a StridedShard; here they go through Replicate.
Result<Redistribution> redistribute(const Shape& shape, const DeviceMesh& mesh, const std::vector<Placement>& from,
                                    const std::vector<Placement>& to, const RedistributeOptions& options = {});

}  // namespace tpsim
