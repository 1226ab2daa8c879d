// Collectives and operations of one phase as rows: equal ones of equal layers are one row with a count.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/analysis.h"
#include "sim/predict.h"

namespace tpsim::cli {

struct CollectiveRow {
  CollectiveOp op = CollectiveOp::all_reduce;
  std::string module;  // pattern: "model.layers.*.mlp.down_proj"
  int group = 1;
  Shape input_shape;
  std::int64_t payload_bytes = 0, wire_bytes_per_rank = 0;
  std::int64_t count = 1;
  std::string algorithm;
  Seconds time{};  // of one
  double algbw = 0, busbw = 0;
  bool data_dependent = false;
};
std::vector<CollectiveRow> collective_rows(const Analysis& analysis, const Prediction& prediction);

struct OperationRow {
  std::string module;  // pattern
  OperationKind kind = OperationKind::elementwise;
  std::string name, shape;
  std::int64_t count = 1;
  double flops = 0;
  std::int64_t bytes = 0;
  Seconds time{};  // of one
  Bound bound = Bound::compute;
};
// "8x4096x4096" (products: rows x outputs x inputs), "" where the kind has no sizes to name.
std::string shape_text(const Operation& op);
std::vector<OperationRow> operation_rows(const Analysis& analysis, const Prediction& prediction);

// The common form of the prefixes of the steps that run `trace`: "model.layers.*".
std::string prefix_pattern(const Analysis& analysis, int trace);

}  // namespace tpsim::cli
