#include "core/collective.h"

#include <array>

#include "core/checked.h"

namespace tpsim {
namespace {

constexpr std::array kCollectives = {CollectiveOp::all_reduce, CollectiveOp::all_gather, CollectiveOp::reduce_scatter,
                                     CollectiveOp::all_to_all, CollectiveOp::broadcast,  CollectiveOp::send};

// ceil(numerator * payload / group) without a product of two large numbers.
std::int64_t share(std::int64_t payload, std::int64_t numerator, std::int64_t group) {
  const std::int64_t whole = saturating_mul(payload / group, numerator);
  return saturating_add(whole, ceil_div(saturating_mul(payload % group, numerator), group));
}

}  // namespace

const char* to_string(CollectiveOp op) {
  switch (op) {
    case CollectiveOp::all_reduce: return "all_reduce";
    case CollectiveOp::all_gather: return "all_gather";
    case CollectiveOp::reduce_scatter: return "reduce_scatter";
    case CollectiveOp::all_to_all: return "all_to_all";
    case CollectiveOp::broadcast: return "broadcast";
    case CollectiveOp::send: return "send";
  }
  return "";
}

std::optional<CollectiveOp> parse_collective(std::string_view name) {
  for (auto op : kCollectives)
    if (name == to_string(op)) return op;
  return std::nullopt;
}

std::int64_t wire_bytes_per_rank(CollectiveOp op, std::int64_t payload, int group) {
  if (group <= 1 || payload <= 0) return 0;
  switch (op) {
    case CollectiveOp::all_reduce: return share(payload, 2 * (std::int64_t{group} - 1), group);
    case CollectiveOp::all_gather:
    case CollectiveOp::reduce_scatter:
    case CollectiveOp::all_to_all: return share(payload, group - 1, group);
    case CollectiveOp::broadcast:
    case CollectiveOp::send: return payload;
  }
  return 0;
}

}  // namespace tpsim
