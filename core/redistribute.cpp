#include "core/redistribute.h"

#include <algorithm>

#include "core/checked.h"

namespace tpsim {
namespace {

constexpr int kMaxBlocks = 65536;
constexpr std::int64_t kMaxPieces = std::int64_t{1} << 24u;

bool is_partial(const Placement& p) { return std::holds_alternative<Partial>(p); }
bool is_replicate(const Placement& p) { return std::holds_alternative<Replicate>(p); }
bool is_strided(const Placement& p) { return std::holds_alternative<StridedShard>(p); }
bool is_cut(const Placement& p) { return cut_dim(p) >= 0; }

Result<Placement> check_placement(const Shape& shape, Placement placement) {
  int* dim = nullptr;
  if (auto* shard = std::get_if<Shard>(&placement)) dim = &shard->dim;
  if (auto* strided = std::get_if<StridedShard>(&placement)) dim = &strided->dim;
  if (dim == nullptr) return placement;
  const int front = *dim < 0 ? *dim + shape.rank() : *dim;
  if (front < 0 || front >= shape.rank())
    return usage_error(to_string(placement) + " cuts a dimension that a tensor of shape " + to_string(shape) +
                       " lacks");
  *dim = front;
  const auto* strided = std::get_if<StridedShard>(&placement);
  if (strided == nullptr) return placement;
  if (strided->blocks < 1 || strided->blocks > kMaxBlocks)
    return usage_error(to_string(placement) + ": a strided shard has 1 to " + std::to_string(kMaxBlocks) + " blocks");
  return strided->blocks == 1 ? Placement(Shard{front}) : placement;
}

// Why a mesh dimension cannot go from one placement to another.
std::optional<Error> impossible(const DeviceMesh& mesh, int dim, const Placement& from, const Placement& to) {
  if (from == to || !is_partial(to)) return std::nullopt;
  Error error = usage_error("mesh dimension " + mesh.names[static_cast<std::size_t>(dim)] + ": " + to_string(from) +
                            " cannot become " + to_string(to));
  if (is_replicate(from)) {
    if (std::get<Partial>(to).op != ReduceOp::product) return std::nullopt;
    error.details = {"no local operation makes values whose product over the ranks is the tensor"};
  } else if (is_partial(from)) {
    error.details = {"a pending reduction cannot be exchanged for another; reduce first"};
  } else {
    error.details = {
        "a shard holds a part of the tensor, a partial value holds all of it: PyTorch forbids this transition"};
  }
  error.fixes = {"go to Replicate or to a Shard"};
  return error;
}

class Planner {
public:
  Planner(const Shape& shape, const DeviceMesh& mesh, const RedistributeOptions& options, std::vector<Placement> from,
          std::vector<Placement> to)
      : shape_(shape), mesh_(mesh), options_(options), current_(std::move(from)), target_(std::move(to)) {}

  // Inner mesh dimensions first: nested shards whose outer cuts change are replicated. Then outer to inner what is
  // left.
  std::vector<RedistributeStep> run() {
    if (mesh_.dims() > 1 && any_shard()) {
      for (int dim = mesh_.dims() - 1; dim >= 0; --dim)
        go(dim, outer_cuts_agree(dim) ? target(dim) : Placement(Replicate{}));
    }
    for (int dim = 0; dim < mesh_.dims(); ++dim) go(dim, target(dim));
    return std::move(steps_);
  }

private:
  Placement& current(int dim) { return current_[static_cast<std::size_t>(dim)]; }
  const Placement& target(int dim) const { return target_[static_cast<std::size_t>(dim)]; }

  bool any_shard() const {
    for (int dim = 0; dim < mesh_.dims(); ++dim)
      if (is_cut(current_[static_cast<std::size_t>(dim)]) && mesh_.size(dim) > 1) return true;
    return false;
  }

  // True if the mesh dimensions before `dim` cut the target's tensor dimension now as they will in the end.
  bool outer_cuts_agree(int dim) const {
    const int tensor_dim = cut_dim(target(dim));
    if (tensor_dim < 0) return true;
    for (std::size_t i = 0; i < static_cast<std::size_t>(dim); ++i) {
      const bool now = cut_dim(current_[i]) == tensor_dim, then = cut_dim(target_[i]) == tensor_dim;
      if ((now || then) && current_[i] != target_[i]) return false;
    }
    return true;
  }

  void go(int dim, const Placement& to) {
    const Placement from = current(dim);
    if (from == to) return;
    const bool through_replicate = (is_strided(from) && !is_replicate(to)) || (is_strided(to) && !is_replicate(from));
    if (through_replicate) step(dim, Replicate{});
    step(dim, to);
  }

  void step(int dim, const Placement& to) {
    RedistributeStep step;
    step.mesh_dim = dim;
    step.from = current(dim);
    step.to = to;
    step.group = mesh_.size(dim);
    if (step.group > 1) add_collective(step);
    current(dim) = to;
    step.after = current_;
    steps_.push_back(std::move(step));
  }

  void add_collective(RedistributeStep& step) const {
    const bool from_partial = is_partial(step.from), from_cut = is_cut(step.from);
    const Shape local = local_shard(shape_, mesh_, current_, 0).shape;
    if (from_partial && is_replicate(step.to)) {
      set(step, CollectiveOp::all_reduce, local);
    } else if (from_partial && is_cut(step.to)) {
      set(step, CollectiveOp::reduce_scatter, scatter_input(local, cut_dim(step.to), step.group));
    } else if (from_cut && is_replicate(step.to)) {
      set(step, CollectiveOp::all_gather, local);
    } else if (from_cut && is_cut(step.to)) {
      const auto op = options_.device == DeviceKind::cpu ? CollectiveOp::all_gather : CollectiveOp::all_to_all;
      set(step, op, padded(local, cut_dim(step.to), step.group));
    }
  }

  // Rank 0 holds the largest shard, so it needs no padding along a dimension that is cut; a dimension to be cut is
  // filled up to equal chunks.
  static Shape padded(const Shape& local, int dim, int parts) {
    return local.with(dim, saturating_mul(ceil_div(local[dim], parts), parts));
  }

  // torch hands the chunks over one behind the other along dimension 0.
  static Shape scatter_input(const Shape& local, int dim, int parts) {
    const std::int64_t chunk = ceil_div(local[dim], parts);
    const Shape piece = local.with(dim, chunk);
    return piece.with(0, saturating_mul(piece[0], parts));
  }

  void set(RedistributeStep& step, CollectiveOp op, const Shape& input) const {
    step.op = op;
    step.input = input;
    step.numel = checked_numel(input).value_or(kSaturated);
    const std::int64_t bytes = ceil_div(saturating_mul(step.numel, element_bits(options_.dtype)), 8);
    step.payload_bytes = op == CollectiveOp::all_gather ? saturating_mul(bytes, step.group) : bytes;
    step.wire_bytes_per_rank = tpsim::wire_bytes_per_rank(op, step.payload_bytes, step.group);
  }

  const Shape& shape_;
  const DeviceMesh& mesh_;
  const RedistributeOptions& options_;
  std::vector<Placement> current_, target_;
  std::vector<RedistributeStep> steps_;
};

std::vector<LocalShard> all_shards(const Shape& shape, const DeviceMesh& mesh,
                                   const std::vector<Placement>& placements) {
  std::vector<LocalShard> shards;
  for (int rank = 0; rank < mesh.ranks(); ++rank) shards.push_back(local_shard(shape, mesh, placements, rank));
  return shards;
}

std::optional<Error> size_fault(const Shape& shape, DType dtype) {
  const auto numel = checked_numel(shape);
  if (numel && checked_mul(*numel, element_bits(dtype))) return std::nullopt;
  return usage_error("a tensor of shape " + to_string(shape) + " has more bits than 64-bit arithmetic holds");
}

// Strided shards multiply the pieces that every rank holds.
std::optional<Error> pieces_fault(const DeviceMesh& mesh, const std::vector<Placement>& placements) {
  std::int64_t pieces = mesh.ranks();
  for (const auto& placement : placements)
    if (const auto* strided = std::get_if<StridedShard>(&placement)) pieces = saturating_mul(pieces, strided->blocks);
  if (pieces <= kMaxPieces) return std::nullopt;
  return usage_error("these strided shards cut the tensor into more than " + std::to_string(kMaxPieces) + " pieces");
}

}  // namespace

Result<std::vector<Placement>> check_placements(const Shape& shape, const DeviceMesh& mesh,
                                                std::vector<Placement> placements) {
  if (static_cast<int>(placements.size()) != mesh.dims())
    return usage_error("mesh " + to_string(mesh) + " has " + std::to_string(mesh.dims()) + " dimensions, " +
                       std::to_string(placements.size()) + " placements are given; one per dimension is needed");
  for (auto& placement : placements) {
    auto checked = check_placement(shape, placement);
    if (!checked) return std::move(checked.error());
    placement = *checked;
  }
  return placements;
}

Result<Redistribution> redistribute(const Shape& shape, const DeviceMesh& mesh, const std::vector<Placement>& from,
                                    const std::vector<Placement>& to, const RedistributeOptions& options) {
  if (auto error = size_fault(shape, options.dtype)) return std::move(*error);
  auto source = check_placements(shape, mesh, from);
  if (!source) return std::move(source.error());
  auto target = check_placements(shape, mesh, to);
  if (!target) return std::move(target.error());
  for (const auto* placements : {&*source, &*target})
    if (auto error = pieces_fault(mesh, *placements)) return std::move(*error);
  for (int dim = 0; dim < mesh.dims(); ++dim) {
    const auto i = static_cast<std::size_t>(dim);
    if (auto error = impossible(mesh, dim, (*source)[i], (*target)[i])) return std::move(*error);
  }
  Redistribution result;
  result.steps = Planner(shape, mesh, options, *source, *target).run();
  result.before = all_shards(shape, mesh, *source);
  result.after = all_shards(shape, mesh, *target);
  result.from = std::move(*source);
  result.to = std::move(*target);
  return result;
}

}  // namespace tpsim
