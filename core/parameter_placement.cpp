#include "core/parameter_placement.h"

#include <utility>

#include "core/tensor_ops.h"

namespace tpsim {
namespace {

// What a strategy wants of a parameter.
struct Cut {
  enum class How { whole, divided_by_ranks, along } how = How::whole;
  int dim = 0;
  int blocks = 1;
  bool distributed = false;  // a DTensor
};

constexpr Cut kWhole{};

Cut along(int dim, int rank, bool distributed, int blocks = 1) {
  return Cut{Cut::How::along, dim < 0 ? dim + rank : dim, blocks, distributed};
}
Cut whole(bool distributed) { return Cut{Cut::How::whole, 0, 1, distributed}; }

Cut rows(int rank, bool distributed, int blocks = 1) { return along(rank == 1 ? -1 : -2, rank, distributed, blocks); }

Cut custom_cut(const CustomStrategy& s, int rank) {
  const auto dim = rank == 1 ? s.bias_dim : s.weight_dim;
  return dim ? along(*dim, rank, false, rank == 1 ? 1 : s.blocks) : kWhole;
}

// 4.47 - 5.0: DTensors, the name `bias` decides.
Cut hooks_cut(StrategyKind kind, const ParameterSpec& p, const Dialect& dialect) {
  const int rank = p.shape.rank();
  const bool bias = p.name == "bias";
  switch (kind) {
    case StrategyKind::colwise:
    case StrategyKind::colwise_gather_output: return bias ? along(-1, rank, true) : rows(rank, true);
    case StrategyKind::rowwise:
    case StrategyKind::rowwise_split_input: return bias ? whole(true) : along(-1, rank, true);
    case StrategyKind::local_colwise: return bias ? along(-1, rank, false) : rows(rank, false);
    case StrategyKind::local_rowwise:
      return bias || (rank == 1 && dialect.at_least(5, 0)) ? kWhole : along(-1, rank, false);
    case StrategyKind::local_packed_rowwise: return along(-1, rank, false, 2);
    case StrategyKind::local:
      return dialect.at_least(4, 54) ? Cut{Cut::How::divided_by_ranks, 0, 1, dialect.at_least(5, 0)} : kWhole;
    case StrategyKind::gather: return dialect.at_least(5, 0) ? whole(true) : kWhole;
    case StrategyKind::sequence_parallel:
    case StrategyKind::replicate: return whole(true);
    case StrategyKind::grouped_gemm: return along(0, rank, false);
    default: return kWhole;
  }
}

// 5.1 - 5.15: plain tensors.
Cut plain_cut(StrategyKind kind, int rank) {
  switch (kind) {
    case StrategyKind::colwise:
    case StrategyKind::colwise_gather_output: return rows(rank, false);
    case StrategyKind::packed_colwise: return rows(rank, false, rank == 1 ? 1 : 2);
    case StrategyKind::rowwise:
    case StrategyKind::rowwise_split_input: return rank == 1 ? kWhole : along(-1, rank, false);
    case StrategyKind::packed_rowwise: return rank == 1 ? kWhole : along(-1, rank, false, 2);
    case StrategyKind::embedding_rowwise:
    case StrategyKind::embedding_colwise:  // the loader builds the class anew, without its argument
      return along(rank == 1 ? -1 : 0, rank, false);
    case StrategyKind::grouped_gemm: return along(0, rank, false);
    default: return kWhole;
  }
}

// 5.16 on: DTensors.
Cut forward_cut(StrategyKind kind, const ParameterSpec& p, const ModuleType& owner, const Dialect& dialect) {
  const int rank = p.shape.rank();
  const bool old_embedding = is_embedding(owner) && dialect.below(5, 21);
  switch (kind) {
    case StrategyKind::colwise:
    case StrategyKind::colwise_gather_output: return old_embedding ? along(1, rank, true) : rows(rank, true);
    case StrategyKind::embedding_rowwise:
      if (dialect.at_least(5, 21)) return along(0, rank, true);
      [[fallthrough]];
    case StrategyKind::rowwise:
    case StrategyKind::rowwise_split_input:
      if (old_embedding) return along(0, rank, true);
      return p.name == "bias" ? whole(true) : along(-1, rank, true);
    case StrategyKind::embedding_colwise: return along(1, rank, true);
    case StrategyKind::packed_colwise: return rank == 1 ? along(-1, rank, true) : along(rank - 2, rank, true, 2);
    case StrategyKind::packed_rowwise: return rank == 1 ? whole(true) : along(-1, rank, true, 2);
    case StrategyKind::grouped_gemm: return along(0, rank, true);
    default: return kWhole;
  }
}

Cut wanted(const Machine& m, const ParameterToPlace& p, StrategyKind kind, const CustomStrategy* custom) {
  if (custom != nullptr) return custom_cut(*custom, p.parameter->shape.rank());
  switch (m.dialect().generation()) {
    case Generation::dtensor_modules:
    case Generation::dtensor_hooks: return hooks_cut(kind, *p.parameter, m.dialect());
    case Generation::plain_hooks: return plain_cut(kind, p.parameter->shape.rank());
    case Generation::dtensor_forward: return forward_cut(kind, *p.parameter, *p.owner, m.dialect());
  }
  return kWhole;
}

Cause refusal(const char* code, std::string message, std::string library) {
  Cause cause;
  cause.code = code;
  cause.message = std::move(message);
  cause.library = std::move(library);
  return cause;
}

// 5.0 takes a plain shard for a tensor of the wrong shape, and counts the experts on disk as rows.
std::optional<Cause> refused_by_first_loader(const ParameterToPlace& p, const Cut& cut) {
  if (p.stacked && cut.dim > 0)
    return refusal("TP105", "this version cannot cut experts that are stacked while loading along their own dimensions",
                   "an error while loading, on some ranks only");
  if (cut.distributed) return std::nullopt;
  return refusal("TP105", "this version takes a shard that is no DTensor for a weight of the wrong shape",
                 "TypeError: '...Parallel' object is not callable");
}

// Loads that this version breaks off.
std::optional<Cause> refused(const Machine& m, const ParameterToPlace& p, StrategyKind kind, const Cut& cut) {
  if (cut.how != Cut::How::along) return std::nullopt;
  const bool first_loader = m.dialect().at_least(5, 0) && m.dialect().below(5, 1) && m.ranks() > 1;
  if (first_loader)
    if (auto cause = refused_by_first_loader(p, cut)) return cause;
  if (p.turned && m.dialect().at_least(5, 0) && m.ranks() > 1)
    return refusal(
        "TP105", "loading turns a tensor whose shape is not the module's, and a rank's part of it never has that shape",
        "RuntimeError: You set `ignore_mismatched_sizes` to `False`, thus raising an error");
  const Shape& shape = p.parameter->shape;
  const std::int64_t extent = shape[cut.dim];
  const int ranks = m.ranks();
  const bool slices_files = m.dialect().at_least(4, 54) && m.dialect().below(5, 0);
  if (slices_files && cut.blocks == 1 && chunk_range(extent, ranks, ranks - 1).size() == 0 && extent > 0)
    return refusal("TP103",
                   std::to_string(extent) + " rows over " + std::to_string(ranks) +
                       " ranks leave the last with none, which this version cannot load",
                   "AttributeError: 'builtins.PySafeSlice' object has no attribute 'shape'");
  if (kind == StrategyKind::grouped_gemm && extent % ranks != 0)
    return refusal("TP103",
                   std::to_string(extent) + " experts cannot be divided over " + std::to_string(ranks) + " ranks",
                   "ValueError while loading");
  if (m.dialect().generation() != Generation::plain_hooks || cut.blocks == 1) {
    const bool pieces_differ = p.stacked && p.pieces > 1 && cut.dim == 1 && (extent / p.pieces) % ranks != 0;
    if (pieces_differ && cut.blocks == 1)
      return refusal("TP103",
                     "the pieces of " + std::to_string(extent / p.pieces) + " features do not divide over " +
                         std::to_string(ranks) + " ranks as the fused tensor does",
                     "RuntimeError: shapes do not match while loading");
    return std::nullopt;
  }
  if (shape.rank() == 2 && kind == StrategyKind::packed_colwise)
    return refusal("TP105", "packed_colwise cuts the wrong dimension of a 2-D weight in this version",
                   "IndexError, or a shape mismatch, while loading");
  if (extent % 2 != 0 || (extent / 2) % ranks != 0)
    return refusal("TP103",
                   "packed blocks of " + std::to_string(extent / 2) + " features cannot be divided over " +
                       std::to_string(ranks) + " ranks",
                   "RuntimeError: shapes do not match while loading");
  return std::nullopt;
}

// 4.50 - 4.53 give every rank floor(n / p) rows and lose the rest.
bool drops_rows(const Dialect& dialect) { return dialect.at_least(4, 50) && dialect.below(4, 54); }

std::optional<Partition> partition_of(const Machine& m, std::int64_t extent, int blocks) {
  if (drops_rows(m.dialect()) && extent % (static_cast<std::int64_t>(m.ranks()) * blocks) != 0) return std::nullopt;
  return chunked(extent, m.ranks(), blocks);
}

// Where rows were dropped, the library multiplies what it has by the ranks.
Shape believed_shape(const Machine& m, const PlacedParameter& placed, const Cut& cut) {
  const TensorState& state = placed.state;
  if (cut.how != Cut::How::along || !drops_rows(m.dialect())) return state.ideal;
  return state.ideal.with(cut.dim, state.local.at(0)[cut.dim] * m.ranks());
}

void cut_state(Machine& m, PlacedParameter& placed, const Cut& cut, int content_blocks) {
  TensorState& state = placed.state;
  const std::int64_t extent = state.ideal[cut.dim];
  const auto partition = partition_of(m, extent, content_blocks);
  std::vector<Shape> shapes;
  for (int r = 0; r < m.ranks(); ++r)
    shapes.push_back(state.ideal.with(
        cut.dim, partition ? partition->local_extent(r) : extent / content_blocks / m.ranks() * content_blocks));
  state.local = RankShapes(std::move(shapes));
  if (partition)
    state.layout = Layout{Content::sharded, cut.dim, m.partitions.intern(*partition), 1, -1};
  else
    state.layout =
        m.wrong("TP103", std::to_string(extent) + " rows over " + std::to_string(m.ranks()) +
                             " ranks: this version drops " + std::to_string(extent % m.ranks()) + " of them silently");
  if (cut.blocks > 1)
    placed.placement = StridedShard{cut.dim, cut.blocks};
  else
    placed.placement = Shard{cut.dim};
}

}  // namespace

PlacedParameter place_parameter(Machine& m, const ParameterToPlace& p, std::optional<StrategyKind> kind,
                                const CustomStrategy* custom) {
  PlacedParameter placed;
  placed.state = replicated(m, p.parameter->shape);
  if (!kind) return placed;
  const Cut cut = wanted(m, p, *kind, custom);
  if (cut.how == Cut::How::along && (cut.dim < 0 || cut.dim >= p.parameter->shape.rank())) {
    placed.refused = refusal("TP105",
                             "the strategy cuts dimension " + std::to_string(cut.dim) + " of a tensor of shape " +
                                 to_string(p.parameter->shape),
                             "an error while loading");
    return placed;
  }
  placed.refused = refused(m, p, *kind, cut);
  if (placed.refused) return placed;
  if (cut.how == Cut::How::divided_by_ranks) placed.state.layout.scale = 1.0 / m.ranks();
  if (cut.how == Cut::How::along) {
    // Pieces that are fused while loading are cut one by one, so each rank holds matching parts whatever the placement
    // says.
    const bool fused_pieces = p.stacked && p.pieces > 1 && cut.dim == 1;
    // Tensors that are joined while loading are cut before, each in the blocks of the whole.
    const int blocks = p.joined > 1 && cut.dim == p.joined_dim ? p.joined * cut.blocks : cut.blocks;
    cut_state(m, placed, cut, fused_pieces ? p.pieces : blocks);
    // The tensor on disk is cut before it is taken apart.
    if (p.fused_parts > 1 && cut.dim == 0 && m.ranks() > 1)
      placed.state.layout =
          m.wrong("TP105", "the checkpoint holds " + std::to_string(p.fused_parts) +
                               " weights as one; loading cuts that one first and takes each rank's shard "
                               "apart, so the rank gets rows of other weights");
  }
  if (cut.distributed) placed.state.belief = Belief{placed.placement, believed_shape(m, placed, cut)};
  return placed;
}

}  // namespace tpsim
