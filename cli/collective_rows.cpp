#include "cli/collective_rows.h"

#include <algorithm>

#include "cli/text.h"
#include "core/module_path.h"

namespace tpsim::cli {
namespace {

// Components in which two paths of one length differ become `*`.
void generalise(std::vector<std::string>& pattern, const std::vector<std::string>& other) {
  if (pattern.size() != other.size()) return;
  for (std::size_t i = 0; i < pattern.size(); ++i)
    if (pattern[i] != other[i]) pattern[i] = "*";
}

// Adds `row` or counts it on the equal row before it.
template <class Row, class Same>
void add(std::vector<Row>& rows, Row row, const Same& same) {
  const auto it = std::find_if(rows.begin(), rows.end(), [&](const Row& other) { return same(other, row); });
  if (it == rows.end()) {
    rows.push_back(std::move(row));
  } else {
    it->count += row.count;
  }
}

bool same_collective(const CollectiveRow& a, const CollectiveRow& b) {
  return a.op == b.op && a.module == b.module && a.group == b.group && a.input_shape == b.input_shape &&
         a.payload_bytes == b.payload_bytes;
}

bool same_operation(const OperationRow& a, const OperationRow& b) {
  return a.module == b.module && a.name == b.name && a.shape == b.shape && a.flops == b.flops && a.bytes == b.bytes;
}

const Trace& trace_of(const Analysis& analysis, int trace) { return analysis.traces[static_cast<std::size_t>(trace)]; }

}  // namespace

std::string shape_text(const Operation& op) {
  if (op.kind == OperationKind::gemm) return to_string(Shape{op.m, op.n, op.k});
  if (op.kind == OperationKind::grouped_gemm) {
    return std::to_string(op.experts) + " experts, " + to_string(Shape{op.m, op.n, op.k});
  }
  if (op.kind == OperationKind::attention) {
    return to_string(Shape{op.sequences, op.heads, op.query_tokens, op.context, op.head_dim});
  }
  return "";
}

std::string prefix_pattern(const Analysis& analysis, int trace) {
  std::vector<std::string> pattern;
  bool first = true;
  for (const Step& step : analysis.steps) {
    if (step.trace != trace) continue;
    auto parts = path_components(step.prefix);
    if (first) {
      pattern = std::move(parts);
    } else {
      generalise(pattern, parts);
    }
    first = false;
  }
  return joined(pattern, ".");
}

std::vector<CollectiveRow> collective_rows(const Analysis& analysis, const Prediction& prediction) {
  std::vector<CollectiveRow> rows;
  for (const CollectiveTime& timed : prediction.collectives) {
    const CollectiveEvent& event = trace_of(analysis, timed.trace).forward[static_cast<std::size_t>(timed.index)];
    CollectiveRow row;
    row.op = event.op;
    row.module = full_path(prefix_pattern(analysis, timed.trace), event.module);
    row.group = event.group;
    row.input_shape = event.input_shape;
    row.payload_bytes = event.payload_bytes;
    row.wire_bytes_per_rank = event.wire_bytes_per_rank;
    row.count = timed.count;
    row.algorithm = timed.algorithm;
    row.time = timed.time;
    row.algbw = timed.algbw;
    row.busbw = timed.busbw;
    row.data_dependent = event.data_dependent;
    add(rows, std::move(row), same_collective);
  }
  return rows;
}

std::vector<OperationRow> operation_rows(const Analysis& analysis, const Prediction& prediction) {
  std::vector<OperationRow> rows;
  for (const OperationTime& timed : prediction.operations) {
    const Operation& op = trace_of(analysis, timed.trace).operations[static_cast<std::size_t>(timed.index)];
    OperationRow row;
    row.module = full_path(prefix_pattern(analysis, timed.trace), op.module);
    row.kind = op.kind;
    row.name = op.name;
    row.shape = shape_text(op);
    row.count = timed.count;
    row.flops = op.flops;
    row.bytes = op.weight_bytes + op.input_bytes + op.output_bytes;
    row.time = timed.time;
    row.bound = timed.kernel.bound;
    add(rows, std::move(row), same_operation);
  }
  return rows;
}

}  // namespace tpsim::cli
