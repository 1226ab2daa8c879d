// From the analysis' shards to what a rank reads.
#include <algorithm>
#include <string_view>

#include "exec/weights.h"

namespace tpsim::exec {
namespace {

// "a.*.b" covers "a.12.b" if 12 is among the set's indices.
bool covers(const ShardSpec& spec, std::string_view name) {
  std::string_view pattern = spec.pattern;
  std::size_t star = 0;
  while (!pattern.empty() && !name.empty()) {
    if (pattern.front() != '*') {
      if (pattern.front() != name.front()) return false;
      pattern.remove_prefix(1);
      name.remove_prefix(1);
      continue;
    }
    int index = 0;
    std::size_t digits = 0;
    while (digits < name.size() && digits < 9 && name[digits] >= '0' && name[digits] <= '9')
      index = index * 10 + (name[digits++] - '0');
    const std::vector<int>& known = spec.indices[star++];
    if (digits == 0 || std::find(known.begin(), known.end(), index) == known.end()) return false;
    pattern.remove_prefix(1);
    name.remove_prefix(digits);
  }
  return pattern.empty() && name.empty();
}

// The dimension in which a rank's shape differs from the whole.
int differing_dim(const Shape& global, const Shape& local) {
  for (int i = 0; i < global.rank(); ++i)
    if (global[i] != local[i]) return i;
  return -1;
}

// Rows of a tensor on disk that holds several parameters: the loader cuts that tensor, then takes the rank's part
// apart.
std::vector<Range> rows_of_fused(const CheckpointRule& rule, std::int64_t rows, int ranks, int rank) {
  const Range mine = chunk_range(rows * rule.parts, ranks, rank);
  const Range part = chunk_range(mine.size(), rule.parts, rule.part);
  return {{mine.begin + part.begin - rule.part * rows, mine.begin + part.end - rule.part * rows}};
}

const ShardSpec* find_spec(const Analysis& analysis, std::string_view name) {
  const auto found =
      std::find_if(analysis.shards.begin(), analysis.shards.end(), [&](const ShardSpec& s) { return covers(s, name); });
  return found == analysis.shards.end() ? nullptr : &*found;
}

}  // namespace

bool has_shard(const Analysis& analysis, const std::string& name) { return find_spec(analysis, name) != nullptr; }

Result<ParameterPiece> piece_of(const Model& model, const Analysis& analysis, const std::string& given, int rank) {
  ParameterPiece piece;
  piece.name = given;
  for (const auto& [first, second] : model.ties)
    if (first == given) piece.name = second;
  const ShardSpec* spec = find_spec(analysis, piece.name);
  if (spec == nullptr) {
    // Buffers are never cut.
    const ParameterSpec* buffer = find_parameter(model, piece.name);
    if (buffer == nullptr) return input_error("the model has no such parameter", piece.name);
    piece.global = buffer->shape;
    return piece;
  }
  const RankShard& mine = spec->ranks[static_cast<std::size_t>(rank)];
  piece.global = spec->shape;
  piece.dim = std::max(cut_dim(spec->placement), differing_dim(spec->shape, mine.shape));
  piece.ranges = mine.ranges;
  piece.factor = spec->factor;
  if (piece.dim < 0 || !piece.ranges.empty()) {
    if (piece.ranges.empty()) piece.dim = -1;
    return piece;
  }
  const std::int64_t extent = mine.shape[piece.dim];
  const CheckpointRule* rule = checkpoint_rule(model, piece.name);
  if (extent == 0)
    piece.ranges = {};
  else if (rule != nullptr && rule->parts > 1)
    piece.ranges = rows_of_fused(*rule, spec->shape[piece.dim], analysis.ranks(), rank);
  else
    piece.ranges = {{rank * extent, (rank + 1) * extent}};  // releases that drop the rest of an uneven division
  return piece;
}

}  // namespace tpsim::exec
