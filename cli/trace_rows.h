// What traces of the PyTorch profiler say about single operations, in the form of measured rows.
#pragma once

#include <compare>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/hardware.h"
#include "sim/measured/table.h"
#include "traces/kineto.h"

namespace tpsim::cli {

// rows x k times k x n.
struct Product {
  DType dtype = DType::bf16;
  std::int64_t m = 0, n = 0, k = 0;
  auto operator<=>(const Product&) const = default;
};

// One collective as nccl-tests counts it.
struct Exchange {
  CollectiveOp op = CollectiveOp::all_reduce;
  DType dtype = DType::bf16;
  std::int64_t bytes = 0;
  int ranks = 0;
  bool nccl = true;
  auto operator<=>(const Exchange&) const = default;
};

// Of an operation with shapes and a type of floating point; none for others.
std::optional<Product> product_of(const KinetoEvent& operation);
// Of a collective's kernel, from itself or from the operation that launched it (null: not found), among `world` ranks
// where neither says how many; none without sizes.
std::optional<Exchange> exchange_of(const KinetoEvent& kernel, const KinetoEvent* operation, int world);

// Products by shape and type: the median time of all kernels that one launched. Collectives by operation, bytes and
// ranks: the shortest time, since in longer ones a rank waited for others. `hardware` tells how many ranks a node has.
// Tables without rows are left out; notes say what was used and what was not. Errors: nothing that can be used.
struct TraceRows {
  std::vector<MeasuredTable> tables;
  std::vector<std::string> notes;
};
Result<TraceRows> rows_of_traces(std::span<const KinetoTrace> traces, const Hardware& hardware);

}  // namespace tpsim::cli
