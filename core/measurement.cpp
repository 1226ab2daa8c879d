#include "core/measurement.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>

namespace tpsim {
namespace {

double at_share(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const auto above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - static_cast<double>(below));
}

// "model.layers.17.mlp" -> "model.layers.*.mlp"
std::string without_indices(const std::string& module) {
  std::string pattern;
  for (std::size_t begin = 0; begin <= module.size();) {
    const std::size_t end = std::min(module.find('.', begin), module.size());
    const std::string part = module.substr(begin, end - begin);
    const bool index = !part.empty() && std::all_of(part.begin(), part.end(),
                                                    [](char c) { return std::isdigit(static_cast<unsigned char>(c)); });
    pattern += (begin == 0 ? "" : ".") + (index ? std::string("*") : part);
    begin = end + 1;
  }
  return pattern;
}

std::string path_of(const std::string& prefix, const std::string& module) {
  return without_indices(prefix.empty() ? module : module.empty() ? prefix : prefix + "." + module);
}

std::string product(std::initializer_list<std::int64_t> extents) {
  std::string text;
  for (const std::int64_t extent : extents) text += (text.empty() ? "" : "x") + std::to_string(extent);
  return text;
}

std::string shape_of(const Operation& op) {
  switch (op.kind) {
    case OperationKind::gemm: return product({op.m, op.n, op.k});
    case OperationKind::grouped_gemm: return product({op.experts, op.m, op.n, op.k});
    case OperationKind::attention: return product({op.sequences, op.heads, op.query_tokens, op.context, op.head_dim});
    case OperationKind::norm:
    case OperationKind::rope:
    case OperationKind::elementwise:
    case OperationKind::softmax:
    case OperationKind::embedding:
    case OperationKind::routing:
    case OperationKind::copy: break;
  }
  return "";
}

std::string shape_of(const Shape& shape) {
  std::string text;
  for (int i = 0; i < shape.rank(); ++i) text += (i == 0 ? "" : "x") + std::to_string(shape[i]);
  return text;
}

class Grouping {
public:
  explicit Grouping(CallGroups& out) : out_(out) {}

  int add(const CallGroup& group) {
    const auto [it, fresh] =
        known_.try_emplace({group.module, group.name, group.shape, group.bytes}, static_cast<int>(out_.groups.size()));
    if (fresh) out_.groups.push_back(group);
    ++out_.groups[static_cast<std::size_t>(it->second)].count;
    return it->second;
  }

private:
  CallGroups& out_;
  std::map<std::tuple<std::string, std::string, std::string, std::int64_t>, int> known_;
};

CallGroup group_of(const Operation& op, const std::string& prefix) {
  const std::int64_t bytes = op.weight_bytes + op.input_bytes + op.output_bytes;
  return {path_of(prefix, op.module), op.name, shape_of(op), false, bytes, 0};
}

CallGroup group_of(const CollectiveEvent& event, const std::string& prefix) {
  return {
      path_of(prefix, event.module), to_string(event.op), shape_of(event.input_shape), true, event.payload_bytes, 0};
}

}  // namespace

Timing timing_of(std::vector<double> seconds) {
  Timing timing;
  timing.n = static_cast<std::int64_t>(seconds.size());
  if (seconds.empty()) return timing;
  std::sort(seconds.begin(), seconds.end());
  timing.median = Seconds(at_share(seconds, 0.5));
  timing.p10 = Seconds(at_share(seconds, 0.1));
  timing.p90 = Seconds(at_share(seconds, 0.9));
  const double count = static_cast<double>(seconds.size());
  const double mean = std::accumulate(seconds.begin(), seconds.end(), 0.0) / count;
  double squares = 0;
  for (const double s : seconds) squares += (s - mean) * (s - mean);
  timing.cv = seconds.size() > 1 && mean > 0 ? std::sqrt(squares / (count - 1)) / mean : 0;
  return timing;
}

CallGroups call_groups(const Analysis& analysis) {
  CallGroups result;
  Grouping grouping(result);
  for (const Step& step : analysis.steps) {
    std::vector<int>& groups = result.of_operation.emplace_back();
    for (const Operation& op : analysis.traces[static_cast<std::size_t>(step.trace)].operations)
      groups.push_back(grouping.add(group_of(op, step.prefix)));
  }
  for (const Step& step : analysis.steps) {
    std::vector<int>& groups = result.of_collective.emplace_back();
    for (const CollectiveEvent& event : analysis.traces[static_cast<std::size_t>(step.trace)].forward)
      groups.push_back(grouping.add(group_of(event, step.prefix)));
  }
  return result;
}

}  // namespace tpsim
