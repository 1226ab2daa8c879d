// The view-like operations of tensor_ops.h.
#include <algorithm>
#include <optional>
#include <utility>

#include "core/op_steps.h"
#include "core/recorder.h"
#include "core/tensor_ops.h"

namespace tpsim {
namespace {

using ops::cut_as;
using ops::text;
using ops::wrapped;

bool plain_only(Machine& m, const TensorState& x, const char* name) {
  if (!x.belief) return true;
  if (std::holds_alternative<Replicate>(x.belief->placement)) return true;
  m.fail("TP120", std::string(name) + " of a DTensor that is split: what torch does there is not modelled");
  return false;
}

TensorState viewed(const TensorState& x) {
  TensorState result = x;
  if (result.belief) result.belief = Belief{Replicate{}, {}};
  return result;
}

void settle_belief(TensorState& result) {
  if (result.belief) result.belief->global = result.local.at(0);
}

}  // namespace

TensorState view_heads(Machine& m, const TensorState& x, std::int64_t d) {
  TensorState result = viewed(x);
  if (!plain_only(m, x, "view")) return result;
  for (int r = 0; r < m.ranks(); ++r) {
    const std::int64_t n = x.local.at(r)[-1];
    if (n % d != 0 || n == 0) {
      m.fail("TP102", text(n) + " features on rank " + text(r) + " are no whole number of heads of " + text(d),
             "shape '[" + text(x.local.at(r)[0]) + ", " + text(x.local.at(r)[1]) + ", -1, " + text(d) +
                 "]' is invalid for input of size " + text(x.local.at(r).numel()));
      return result;
    }
    if (x.local.uniform()) break;
  }
  const auto viewed_shape = [&](Shape s) {
    s[-1] /= d;
    s.push_back(d);
    return s;
  };
  result.ideal = viewed_shape(x.ideal);
  result.local = x.local.map(viewed_shape);
  if (x.layout.content == Content::sharded && x.layout.dim == x.ideal.rank() - 1)
    result.layout = cut_as(m, x.layout, x.layout.dim, divided(m.partitions[x.layout.partition], d), "TP102",
                           "a rank's shard begins or ends inside a head of " + text(d));
  settle_belief(result);
  return checked(m, std::move(result));
}

namespace {

// Dimensions `at` and `at + 1` become one.
TensorState merged(Machine& m, const TensorState& x, int at) {
  TensorState result = viewed(x);
  if (!plain_only(m, x, "flatten")) return result;
  const auto merge = [at](const Shape& s) {
    Shape out;
    for (int i = 0; i < s.rank(); ++i) {
      if (i == at + 1)
        out[at] *= s[i];
      else
        out.push_back(s[i]);
    }
    return out;
  };
  result.ideal = merge(x.ideal);
  result.local = x.local.map(merge);
  settle_belief(result);
  if (x.layout.content != Content::sharded || x.layout.dim < at) return checked(m, std::move(result));
  if (x.layout.dim > at + 1) {
    result.layout.dim -= 1;
    return checked(m, std::move(result));
  }
  const std::int64_t outer = x.ideal[at], inner = x.ideal[at + 1];
  const Partition& cut = m.partitions[x.layout.partition];
  if (x.layout.dim == at) {
    result.layout = cut_as(m, x.layout, at, multiplied(cut, inner), "TP108", "");
    return checked(m, std::move(result));
  }
  if (outer > 4096) {
    result.layout = m.wrong("TP108", "a split inner dimension is flattened");
    return result;
  }
  Partition repeated = cut;
  for (std::int64_t i = 1; i < outer; ++i) repeated = concatenated(repeated, cut);
  result.layout = cut_as(m, x.layout, at, std::move(repeated), "TP108", "");
  return checked(m, std::move(result));
}

}  // namespace

TensorState merge_heads(Machine& m, const TensorState& x) { return merged(m, x, x.ideal.rank() - 2); }

TensorState flatten_tokens(Machine& m, const TensorState& x) {
  if (x.ideal.rank() < 3) return x;
  if (x.belief && std::holds_alternative<Shard>(x.belief->placement)) {
    m.fail("TP108", "the library cannot flatten an input that is split along the sequence",
           "Attempted to flatten multiple dimensions, with dimension 1 being sharded");
    return x;
  }
  return merged(m, x, 0);
}

TensorState unflatten_tokens(Machine& m, const TensorState& x, const TensorState& like) {
  TensorState result = viewed(x);
  if (!plain_only(m, x, "view")) return result;
  const auto shape = [](const Shape& flat, const Shape& as) {
    Shape out{as[0], as[1]};
    for (int i = 1; i < flat.rank(); ++i) out.push_back(flat[i]);
    return out;
  };
  result.ideal = shape(x.ideal, like.ideal);
  std::vector<Shape> locals;
  for (int r = 0; r < m.ranks(); ++r) {
    locals.push_back(shape(x.local.at(r), like.local.at(r)));
    if (locals.back().numel() != x.local.at(r).numel()) {
      m.fail("TP108", to_string(x.local.at(r)) + " values do not fill " + to_string(locals.back()),
             "shape is invalid for input of size " + text(x.local.at(r).numel()));
      return result;
    }
    if (x.local.uniform() && like.local.uniform()) break;
  }
  result.local = RankShapes(std::move(locals));
  settle_belief(result);
  if (x.layout.content == Content::sharded) {
    if (x.layout.dim == 0)
      result.layout = m.wrong("TP108", "tokens that are split over the ranks are put back into sequences");
    else
      result.layout.dim += 1;
  }
  return checked(m, std::move(result));
}

TensorState transpose(Machine& m, const TensorState& x, int a, int b) {
  TensorState result = viewed(x);
  if (!plain_only(m, x, "transpose")) return result;
  const int rank = x.ideal.rank();
  a = wrapped(a, rank);
  b = wrapped(b, rank);
  const auto swapped = [&](Shape s) {
    std::swap(s[a], s[b]);
    return s;
  };
  result.ideal = swapped(x.ideal);
  result.local = x.local.map(swapped);
  settle_belief(result);
  if (x.layout.content == Content::sharded)
    result.layout.dim = x.layout.dim == a ? b : x.layout.dim == b ? a : x.layout.dim;
  return result;
}

namespace {

std::optional<Shape> reshaped(const Shape& s, const std::vector<std::int64_t>& extents) {
  Shape out;
  int inferred = -1;
  std::int64_t known = 1;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    std::int64_t e = extents[i];
    if (e == 0) e = s[static_cast<int>(i)];
    if (e == -1) {
      inferred = static_cast<int>(i);
      e = 1;
    }
    known *= e;
    out.push_back(e);
  }
  const std::int64_t total = s.numel();
  if (inferred >= 0) {
    if (known == 0 || total % known != 0) return std::nullopt;
    out[inferred] = total / known;
  }
  return out.numel() == total ? std::optional(out) : std::nullopt;
}

// Where dimension `dim` of `from` goes in `to`, and by what it is multiplied (> 0) or divided (< 0).
struct Destination {
  int dim;
  std::int64_t factor;
};
std::optional<Destination> destination(const Shape& from, const Shape& to, int dim) {
  std::int64_t before = 1;
  for (int i = 0; i < dim; ++i) before *= from[i];
  std::int64_t passed = 1;
  for (int j = 0; j < to.rank(); ++j) {
    if (passed == before) {
      if (to[j] == from[dim]) return Destination{j, 1};
      if (to[j] > from[dim] && to[j] % from[dim] == 0) return Destination{j, to[j] / from[dim]};
      if (to[j] < from[dim] && from[dim] % to[j] == 0 && to[j] > 1) return Destination{j, -(from[dim] / to[j])};
    }
    passed *= to[j];
  }
  return std::nullopt;
}

}  // namespace

TensorState reshape(Machine& m, const TensorState& x, const std::vector<std::int64_t>& extents) {
  TensorState result = viewed(x);
  if (!plain_only(m, x, "view")) return result;
  const auto ideal = reshaped(x.ideal, extents);
  if (!ideal) {
    m.fail("TP000", "the description reshapes " + to_string(x.ideal) + " to something that does not fit");
    return result;
  }
  std::vector<Shape> locals;
  for (int r = 0; r < m.ranks(); ++r) {
    const auto local = reshaped(x.local.at(r), extents);
    if (!local) {
      std::string wanted;
      for (std::size_t i = 0; i < extents.size(); ++i)
        wanted += (i == 0 ? "" : ", ") + text(extents[i] == 0 ? x.local.at(r)[static_cast<int>(i)] : extents[i]);
      m.fail("TP109",
             "the code reshapes with sizes of the whole model: " + to_string(x.local.at(r)) + " on rank " + text(r) +
                 " does not fit [" + wanted + "]",
             "shape '[" + wanted + "]' is invalid for input of size " + text(x.local.at(r).numel()));
      return result;
    }
    locals.push_back(*local);
    if (x.local.uniform()) break;
  }
  result.ideal = *ideal;
  result.local = RankShapes(std::move(locals));
  settle_belief(result);
  if (x.layout.content == Content::sharded) {
    const auto to = destination(x.ideal, *ideal, x.layout.dim);
    const Partition cut = m.partitions[x.layout.partition];
    std::optional<Partition> moved;
    if (to) moved = to->factor > 0 ? std::optional(multiplied(cut, to->factor)) : divided(cut, -to->factor);
    result.layout =
        cut_as(m, x.layout, to ? to->dim : 0, std::move(moved), "TP102", "a reshape cuts across the ranks' shards");
  }
  return checked(m, std::move(result));
}

TensorState unsqueeze(Machine& m, const TensorState& x, int dim) {
  TensorState result = viewed(x);
  if (!plain_only(m, x, "unsqueeze")) return result;
  dim = wrapped(dim, x.ideal.rank() + 1);
  const auto grown = [dim](const Shape& s) {
    Shape out;
    for (int i = 0; i <= s.rank(); ++i) {
      if (i == dim) out.push_back(1);
      if (i < s.rank()) out.push_back(s[i]);
    }
    return out;
  };
  result.ideal = grown(x.ideal);
  result.local = x.local.map(grown);
  settle_belief(result);
  if (x.layout.content == Content::sharded && x.layout.dim >= dim) result.layout.dim += 1;
  return result;
}

TensorState squeeze(Machine& m, const TensorState& x, int dim) {
  TensorState result = viewed(x);
  if (!plain_only(m, x, "squeeze")) return result;
  dim = wrapped(dim, x.ideal.rank());
  if (x.ideal[dim] != 1) return result;
  const auto shrunk = [dim](const Shape& s) {
    Shape out;
    for (int i = 0; i < s.rank(); ++i)
      if (i != dim) out.push_back(s[i]);
    return out;
  };
  result.ideal = shrunk(x.ideal);
  result.local = x.local.map(shrunk);
  settle_belief(result);
  if (x.layout.content == Content::sharded && x.layout.dim > dim) result.layout.dim -= 1;
  return result;
}

TensorState expand(Machine& m, const TensorState& x, const TensorState& like) {
  TensorState result = viewed(x);
  if (!plain_only(m, x, "expand")) return result;
  const auto grown = [](const Shape& s, const Shape& as) {
    Shape out = s;
    for (int i = 0; i + 1 < s.rank(); ++i)
      if (s[i] == 1) out[i] = as[i];
    return out;
  };
  result.ideal = grown(x.ideal, like.ideal);
  std::vector<Shape> locals;
  for (int r = 0; r < m.ranks(); ++r) locals.push_back(grown(x.local.at(r), like.local.at(r)));
  result.local = RankShapes(std::move(locals));
  settle_belief(result);
  const Layout& as = like.layout;
  if (x.layout.content == Content::replicated && as.content == Content::sharded && as.dim < x.ideal.rank() - 1 &&
      x.ideal[as.dim] == 1 && like.ideal[as.dim] > 1) {
    result.layout.content = Content::sharded;
    result.layout.dim = as.dim;
    result.layout.partition = as.partition;
  }
  return checked(m, std::move(result));
}

namespace {

Range clamped(std::int64_t begin, std::int64_t end, std::int64_t extent) {
  if (begin < 0) begin += extent;
  if (end < 0) end += extent;
  begin = std::clamp<std::int64_t>(begin, 0, extent);
  end = std::clamp<std::int64_t>(end, begin, extent);
  return {begin, end};
}

// The piece that is [ideal] in the unsharded tensor and [local_r] on rank r.
TensorState piece(Machine& m, const TensorState& x, int dim, Range ideal, const std::vector<Range>& local) {
  TensorState result = viewed(x);
  result.ideal = x.ideal.with(dim, ideal.size());
  std::vector<Shape> locals;
  for (int r = 0; r < m.ranks(); ++r)
    locals.push_back(x.local.at(r).with(dim, local[static_cast<std::size_t>(r)].size()));
  result.local = RankShapes(std::move(locals));
  settle_belief(result);
  if (x.layout.content == Content::sharded && x.layout.dim == dim)
    result.layout = cut_as(m, x.layout, dim, restricted(m.partitions[x.layout.partition], local, ideal), "TP105",
                           "a fused tensor is taken apart, but the ranks' shards do not hold the same parts");
  return checked(m, std::move(result));
}

}  // namespace

namespace {

// A runtime with packed_colwise_N takes a fused tensor apart by its own sizes, Transformers by the model's. Zero where
// it does not, else the extent of a block.
std::int64_t adapted_block(const Machine& m, const TensorState& x, int dim) {
  if (!m.dialect().extensions || x.layout.content != Content::sharded || x.layout.dim != dim) return 0;
  const Partition& partition = m.partitions[x.layout.partition];
  const auto blocks = static_cast<int>(partition.ranks.front().size());
  const bool packed = blocks > 1 && x.ideal[dim] % blocks == 0 && partition == chunked(x.ideal[dim], m.ranks(), blocks);
  return packed ? x.ideal[dim] / blocks : 0;
}

// Where a boundary between blocks lies on each rank.
std::vector<Range> scaled(const Machine& m, const TensorState& x, int dim, Range whole) {
  std::vector<Range> local;
  for (int r = 0; r < m.ranks(); ++r) {
    const std::int64_t own = x.local.at(r)[dim], all = x.ideal[dim];
    local.push_back({whole.begin * own / all, whole.end * own / all});
  }
  return local;
}

}  // namespace

namespace {

TensorState noted_piece(Machine& m, const TensorState& x, int dim, Range ideal, const std::vector<Range>& local) {
  TensorState result = piece(m, x, dim, ideal, local);
  if (RecordedOp* noted = note(m, Op::slice, {&x}, {&result})) {
    noted->ints = {dim};
    for (const Range& range : local) noted->ranges.push_back({range});
  }
  return result;
}

}  // namespace

TensorState slice(Machine& m, const TensorState& x, int dim, std::int64_t begin, std::int64_t end) {
  if (!plain_only(m, x, "slice")) return x;
  dim = wrapped(dim, x.ideal.rank());
  const Range whole = clamped(begin, end, x.ideal[dim]);
  const std::int64_t block = adapted_block(m, x, dim);
  if (block > 0 && whole.begin % block == 0 && whole.end % block == 0)
    return noted_piece(m, x, dim, whole, scaled(m, x, dim, whole));
  std::vector<Range> local;
  for (int r = 0; r < m.ranks(); ++r) local.push_back(clamped(begin, end, x.local.at(r)[dim]));
  return noted_piece(m, x, dim, whole, local);
}

std::vector<TensorState> split(Machine& m, const TensorState& x, int dim, const std::vector<std::int64_t>& sizes) {
  if (!plain_only(m, x, "split")) return {};
  dim = wrapped(dim, x.ideal.rank());
  std::int64_t sum = 0;
  for (auto s : sizes) sum += s;
  const std::int64_t block = adapted_block(m, x, dim);
  const bool adapts =
      block > 0 && std::all_of(sizes.begin(), sizes.end(), [&](std::int64_t s) { return s % block == 0; });
  for (int r = 0; r < m.ranks() && !adapts; ++r)
    if (x.local.at(r)[dim] != sum) {
      m.fail("TP105",
             "the code takes a fused tensor of " + text(sum) + " apart, rank " + text(r) + " holds " +
                 text(x.local.at(r)[dim]),
             "split_with_sizes expects split_sizes to sum exactly to " + text(x.local.at(r)[dim]));
      return {};
    }
  std::vector<TensorState> parts;
  std::int64_t at = 0;
  for (auto s : sizes) {
    const std::vector<Range> fixed(static_cast<std::size_t>(m.ranks()), Range{at, at + s});
    parts.push_back(piece(m, x, dim, {at, at + s}, adapts ? scaled(m, x, dim, {at, at + s}) : fixed));
    at += s;
  }
  return parts;
}

std::vector<TensorState> chunk(Machine& m, const TensorState& x, int dim, int count) {
  if (!plain_only(m, x, "chunk")) return {};
  dim = wrapped(dim, x.ideal.rank());
  std::vector<TensorState> parts;
  for (int c = 0; c < count; ++c) {
    std::vector<Range> local;
    for (int r = 0; r < m.ranks(); ++r) {
      local.push_back(chunk_range(x.local.at(r)[dim], count, c));
      if (local.back().size() == 0) {
        m.fail("TP103",
               text(x.local.at(r)[dim]) + " features on rank " + text(r) + " do not give " + text(count) + " chunks",
               "not enough values to unpack");
        return {};
      }
    }
    parts.push_back(piece(m, x, dim, chunk_range(x.ideal[dim], count, c), local));
  }
  return parts;
}

namespace {

Layout concatenated_layout(Machine& m, const std::vector<const TensorState*>& parts, int dim) {
  Layout layout = parts.front()->layout;
  for (const TensorState* p : parts)
    if (p->layout.content == Content::wrong) return p->layout;
  for (const TensorState* p : parts) {
    if (p == parts.front()) continue;
    const Layout& next = p->layout;
    if (next.content != layout.content || next.scale != layout.scale ||
        (layout.content == Content::sharded && next.dim != layout.dim))
      return m.wrong("TP108", "tensors of different layouts are put together");
    if (layout.content != Content::sharded) continue;
    if (layout.dim == dim)
      layout.partition =
          m.partitions.intern(concatenated(m.partitions[layout.partition], m.partitions[next.partition]));
    else if (layout.partition != next.partition)
      return m.wrong("TP108", "tensors that are split differently over the ranks are put together");
  }
  return layout;
}

}  // namespace

TensorState concat(Machine& m, const std::vector<const TensorState*>& parts, int dim) {
  TensorState result = viewed(*parts.front());
  dim = wrapped(dim, result.ideal.rank());
  for (const TensorState* p : parts)
    if (!plain_only(m, *p, "cat")) return result;
  std::vector<Shape> locals;
  for (int r = 0; r < m.ranks(); ++r) {
    Shape shape = parts.front()->local.at(r);
    for (std::size_t i = 1; i < parts.size(); ++i) {
      const Shape& next = parts[i]->local.at(r);
      if (!(next.with(dim, 0) == shape.with(dim, 0))) {
        m.fail("TP108",
               "tensors of " + to_string(shape) + " and " + to_string(next) + " are put together on rank " + text(r),
               "Sizes of tensors must match except in dimension " + text(dim));
        return result;
      }
      shape[dim] += next[dim];
    }
    locals.push_back(shape);
  }
  std::int64_t total = 0;
  for (const TensorState* p : parts) total += p->ideal[dim];
  result.ideal[dim] = total;
  result.local = RankShapes(std::move(locals));
  result.storage = -1;
  settle_belief(result);
  result.layout = concatenated_layout(m, parts, dim);
  result = checked(m, std::move(result));
  Operation op;
  op.kind = OperationKind::copy;
  op.name = "concat";
  op.input_bytes = op.output_bytes = heaviest_bytes(result, m);
  m.record(std::move(op));
  return result;
}

}  // namespace tpsim
