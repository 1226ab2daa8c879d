#include <algorithm>
#include <array>

#include "sim/network/collectives_fit.h"

namespace tpsim {
namespace {

struct Implementation {
  std::string_view name;
  CollectiveStack stack;
  bool eager;
};
constexpr std::array kImplementations = {
    Implementation{"nccl", CollectiveStack::nccl, false},
    Implementation{"vllm_custom_graph", CollectiveStack::vllm, false},
    Implementation{"vllm_custom_eager", CollectiveStack::vllm, true},
    Implementation{"sglang_custom_graph", CollectiveStack::sglang, false},
    Implementation{"sglang_custom_eager", CollectiveStack::sglang, true},
    Implementation{"trtllm_custom_graph", CollectiveStack::trtllm, false},
    Implementation{"trtllm_custom_eager", CollectiveStack::trtllm, true},
};

std::optional<CollectiveOp> op_named(std::string_view name) {
  if (name == "alltoall") return CollectiveOp::all_to_all;
  if (name == "send_recv" || name == "sendrecv") return CollectiveOp::send;
  return parse_collective(name);
}

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

}  // namespace

bool set_implementation(std::string_view impl, CollectiveShape& shape) {
  for (const Implementation& i : kImplementations) {
    if (i.name != impl) continue;
    shape.stack = i.stack;
    shape.eager = i.eager;
    return true;
  }
  return false;
}

std::string implementation_name(CollectiveStack stack, bool eager) {
  for (const Implementation& i : kImplementations)
    if (i.stack == stack && i.eager == eager) return std::string(i.name);
  return to_string(stack);
}

CollectiveReader::CollectiveReader(const MeasuredTable& table)
    : gpu_(table, "gpu"),
      source_(table, "source"),
      topo_(table, "topo"),
      op_(table, "op"),
      impl_(table, "impl", "nccl"),
      dtype_(table, "dtype", "bf16"),
      bytes_(table, "bytes"),
      ranks_(table, "ranks"),
      nodes_(table, "nodes", "1"),
      time_us_(table, "time_us") {}

Result<MeasuredCollective> CollectiveReader::read(const MeasuredRow& row) const {
  MeasuredCollective r;
  r.gpu = gpu_.text(row);
  r.source = source_.text(row);
  r.topo = topo_.text(row);
  const auto op = op_named(op_.text(row));
  if (!op) return op_.error(row, quoted(op_.text(row)) + " is no collective");
  r.shape.op = *op;
  if (!set_implementation(impl_.text(row), r.shape))
    return impl_.error(row, quoted(impl_.text(row)) + " is no known implementation");
  const auto dtype = parse_dtype(dtype_.text(row));
  if (!dtype) return dtype_.error(row, quoted(dtype_.text(row)) + " is no dtype");
  r.shape.dtype = *dtype;
  const auto bytes = bytes_.number(row);
  if (!bytes) return bytes.error();
  if (*bytes < 0) return bytes_.error(row, "bytes are 0 or more");
  r.shape.bytes = *bytes;
  const auto ranks = ranks_.count(row), nodes = nodes_.count(row);
  if (!ranks) return ranks.error();
  if (!nodes) return nodes.error();
  if (*ranks < 1 || *ranks > 1 << 20) return ranks_.error(row, "ranks are 1 or more");
  if (*nodes < 1 || *nodes > *ranks) return nodes_.error(row, "nodes are 1 to the number of ranks");
  r.shape.ranks = static_cast<int>(*ranks);
  r.shape.nodes = static_cast<int>(*nodes);
  if (!time_us_.exists()) return r;
  const auto us = time_us_.positive(row);
  if (!us) return us.error();
  r.us = *us;
  return r;
}

Result<std::vector<MeasuredCollective>> read_collectives(const MeasuredTable& table) {
  if (auto ok = require_columns(table, {"gpu", "op", "bytes", "ranks", "time_us"}); !ok) return ok.error();
  const CollectiveReader reader(table);
  std::vector<MeasuredCollective> rows;
  rows.reserve(table.rows.size());
  for (const MeasuredRow& row : table.rows) {
    auto read = reader.read(row);
    if (!read) return read.error();
    rows.push_back(std::move(*read));
  }
  return rows;
}

}  // namespace tpsim
