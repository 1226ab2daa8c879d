#include "gui/model/graph.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "cli/collective_rows.h"
#include "cli/text.h"
#include "core/module_path.h"
#include "gui/model/layered_layout.h"

namespace tpsim::gui {
namespace {

constexpr float kLetter = 7.6F, kLine = 17, kPad = 10, kGap = 46, kFrame = 22;
constexpr std::size_t kMaxPeriod = 8, kMostNodes = 10'000;

bool is_collective(const std::string& name) {
  return name == "all_reduce" || name == "all_gather" || name == "reduce_scatter" || name == "all_to_all" ||
         name == "broadcast" || name == "send";
}

std::string last_component(const std::string& path) { return path.substr(path.rfind('.') + 1); }

// Of the first component that is a number: the layer; -1 = none.
int first_index(const std::string& path) {
  for (const std::string& part : path_components(path)) {
    int index = 0;
    const auto [rest, status] = std::from_chars(part.data(), part.data() + part.size(), index);
    if (status == std::errc() && rest == part.data() + part.size()) return index;
  }
  return -1;
}

// Times of one trace's operations and collectives in one phase.
struct PhaseTimes {
  std::vector<double> operations, collectives;  // us
  std::vector<std::int64_t> payloads;
};

PhaseTimes times_of(const std::optional<cli::PhaseResult>& phase, int trace) {
  PhaseTimes times;
  if (!phase) return times;
  const Trace& t = phase->analysis.traces[static_cast<std::size_t>(trace)];
  times.operations.resize(t.operations.size());
  times.collectives.resize(t.forward.size());
  for (const CollectiveEvent& e : t.forward) times.payloads.push_back(e.payload_bytes);
  for (const OperationTime& o : phase->time.operations)
    if (o.trace == trace) times.operations[static_cast<std::size_t>(o.index)] = microseconds(o.time);
  for (const CollectiveTime& c : phase->time.collectives)
    if (c.trace == trace) times.collectives[static_cast<std::size_t>(c.index)] = microseconds(c.time);
  return times;
}

// Which operations of a trace belong to each node: those of its module with its name, in order; a module's node has
// all.
std::vector<std::vector<std::size_t>> operations_of(const Trace& trace) {
  std::vector<std::vector<std::size_t>> owned(trace.graph.nodes.size());
  std::map<std::string, std::size_t> next;
  for (std::size_t n = 0; n < owned.size(); ++n) {
    const GraphNode& node = trace.graph.nodes[n];
    std::vector<std::size_t> same_name, same_module;
    for (std::size_t i = 0; i < trace.operations.size(); ++i) {
      if (trace.operations[i].module != node.module) continue;
      same_module.push_back(i);
      if (trace.operations[i].name == node.name) same_name.push_back(i);
    }
    if (same_name.empty()) {
      owned[n] = std::move(same_module);
    } else {
      const std::size_t use = next[node.module + "\n" + node.name]++;
      if (use < same_name.size()) owned[n] = {same_name[use]};
    }
  }
  return owned;
}

double sum_at(const std::vector<double>& times, const std::vector<std::size_t>& indices) {
  double sum = 0;
  for (const std::size_t i : indices) sum += i < times.size() ? times[i] : 0;
  return sum;
}

class Drawer {
public:
  Drawer(const cli::SizeResult& result, const std::vector<ModuleRow>& modules, const std::set<std::size_t>& unfolded)
      : result_(result), analysis_(result.forward), modules_(modules), unfolded_(unfolded) {}

  GraphDrawing run() {
    for (const StepGroup& group : group_steps(analysis_.steps)) {
      const bool unfold = group.repeats > 1 && unfolded_.count(group.first_step) > 0;
      for (std::int64_t i = 0; i < (unfold ? group.repeats : 1); ++i)
        for (std::size_t k = 0; k < group.traces.size(); ++k)
          add_segment(group, group.first_step + static_cast<std::size_t>(i) * group.traces.size() + k, unfold);
    }
    centre();
    return std::move(out_);
  }

private:
  void add_segment(const StepGroup& group, std::size_t step, bool unfolded) {
    const int trace_index = analysis_.steps[step].trace;
    const Trace& trace = analysis_.traces[static_cast<std::size_t>(trace_index)];
    if (trace.graph.nodes.empty() || out_.nodes.size() + trace.graph.nodes.size() > kMostNodes) return;
    const std::string prefix = cli::prefix_pattern(analysis_, trace_index);
    const int base = static_cast<int>(out_.nodes.size());
    add_nodes(trace_index, trace, prefix);
    const PlacedGraph& placed = place(trace_index, trace, base);
    Segment segment;
    segment.trace = trace_index;
    segment.group = group.first_step;
    segment.is_unfolded = unfolded;
    segment.can_unfold = group.repeats > 1;
    segment.repeats = unfolded ? 1 : group.repeats;
    segment.framed = !prefix.empty();
    segment.title = title_of(group, step, prefix, unfolded);
    if (unfolded) {
      const int layer = first_index(analysis_.steps[step].prefix);
      for (std::size_t i = static_cast<std::size_t>(base); i < out_.nodes.size(); ++i) out_.nodes[i].layer = layer;
    }
    segment.y = out_.segments.empty() ? 0 : out_.segments.back().y + out_.segments.back().height + kGap;
    segment.width = placed.width + 2 * kFrame;
    segment.height = placed.height + 2 * kFrame + kLine;
    const float dx = kFrame, dy = segment.y + kFrame + kLine;
    for (std::size_t i = 0; i < placed.nodes.size(); ++i) {
      DrawnNode& n = out_.nodes[static_cast<std::size_t>(base) + i];
      n.x = placed.nodes[i].x + dx;
      n.y = placed.nodes[i].y + dy;
    }
    for (std::size_t i = 0; i < trace.graph.edges.size(); ++i) {
      const GraphEdge& e = trace.graph.edges[i];
      DrawnEdge edge{base + e.from, base + e.to, e.layout, e.shape, {}, placed.edges[i]};
      if (e.layout == "wrong") edge.code = out_.nodes[static_cast<std::size_t>(edge.to)].code;
      for (Point& p : edge.points) p = {p.x + dx, p.y + dy};
      out_.edges.push_back(std::move(edge));
    }
    first_node_.push_back(base);
    out_.segments.push_back(std::move(segment));
  }

  const PlacedGraph& place(int trace_index, const Trace& trace, int base) {
    const auto known = placed_.find(trace_index);
    if (known != placed_.end()) return known->second;
    std::vector<BoxSize> sizes;
    for (std::size_t i = 0; i < trace.graph.nodes.size(); ++i) {
      const DrawnNode& n = out_.nodes[static_cast<std::size_t>(base) + i];
      sizes.push_back({n.width, n.height});
    }
    return placed_[trace_index] = place_in_layers(trace.graph, sizes);
  }

  std::string title_of(const StepGroup& group, std::size_t step, const std::string& prefix, bool unfolded) const {
    if (unfolded) return analysis_.steps[step].prefix;
    if (prefix.empty()) return "model";
    if (group.repeats == 1) return prefix;
    return prefix + (group.traces.size() == 1 ? " x " : "   one of a group x ") + std::to_string(group.repeats);
  }

  void add_nodes(int trace_index, const Trace& trace, const std::string& prefix) {
    const auto owned = operations_of(trace);
    const PhaseTimes prefill = times_of(result_.prefill, trace_index), decode = times_of(result_.decode, trace_index);
    std::size_t event = 0;
    for (std::size_t i = 0; i < trace.graph.nodes.size(); ++i) {
      const GraphNode& node = trace.graph.nodes[i];
      DrawnNode drawn;
      drawn.trace = trace_index;
      drawn.node = static_cast<int>(i);
      if (is_collective(node.name) && event < trace.forward.size()) {
        collective(drawn, trace, event, prefill, decode);
        drawn.module_row = find_module(modules_, prefix, node.module);
        ++event;
      } else {
        operation(drawn, node, prefix);
        drawn.prefill_us = sum_at(prefill.operations, owned[i]);
        drawn.decode_us = sum_at(decode.operations, owned[i]);
      }
      out_.nodes.push_back(std::move(drawn));
    }
  }

  static void collective(DrawnNode& drawn, const Trace& trace, std::size_t event, const PhaseTimes& prefill,
                         const PhaseTimes& decode) {
    const CollectiveEvent& e = trace.forward[event];
    drawn.kind = NodeKind::collective;
    drawn.event = static_cast<int>(event);
    drawn.title = short_name(e.op);
    drawn.bytes = e.payload_bytes;
    drawn.prefill_bytes = event < prefill.payloads.size() ? prefill.payloads[event] : 0;
    drawn.decode_bytes = event < decode.payloads.size() ? decode.payloads[event] : 0;
    drawn.prefill_us = event < prefill.collectives.size() ? prefill.collectives[event] : 0;
    drawn.decode_us = event < decode.collectives.size() ? decode.collectives[event] : 0;
    drawn.width = drawn.height = 36;
  }

  void operation(DrawnNode& drawn, const GraphNode& node, const std::string& prefix) {
    drawn.kind = node.name == "input" ? NodeKind::input : node.has_weights ? NodeKind::module : NodeKind::operation;
    drawn.module_row = find_module(modules_, prefix, node.module);
    const ModuleRow* row = drawn.module_row >= 0 ? &modules_[static_cast<std::size_t>(drawn.module_row)] : nullptr;
    const bool own = row != nullptr && row->is_leaf() && drawn.kind == NodeKind::module;
    drawn.title = own ? last_component(node.module) : node.name;
    drawn.strategy = own ? row->strategy : node.strategy;
    if (own) weights(drawn, *row);
    const float columns = static_cast<float>(
        std::max(drawn.title.size() + (own ? std::max<std::size_t>(drawn.strategy.size(), 7) + 6 : 0),
                 own ? to_string(drawn.local).size() + 12 : 0));
    drawn.width = std::max(64.0F, columns * kLetter + 2 * kPad);
    drawn.height = own ? 2 * kLine + 1.4F * kPad : kLine + kPad;
  }

  void weights(DrawnNode& drawn, const ModuleRow& row) const {
    const ShardSpec& spec = analysis_.shards[static_cast<std::size_t>(row.specs.front())];
    const auto rank = static_cast<std::size_t>(heaviest_rank(analysis_));
    drawn.bytes = row.count > 0 ? row.rank_bytes / row.count : row.rank_bytes;
    if (rank < spec.ranks.size()) drawn.local = spec.ranks[rank].shape;
    drawn.is_exception =
        row.rule >= 0 && first_index(analysis_.rules[static_cast<std::size_t>(row.rule)].rule.key) >= 0;
    for (const Diagnostic& d : analysis_.diagnostics)
      if (drawn.code.empty() && d.severity != Severity::note && d.where.find(row.pattern) != std::string::npos)
        drawn.code = d.code;
  }

  void centre() {
    for (const Segment& s : out_.segments) out_.width = std::max(out_.width, s.width);
    std::size_t edge = 0;
    for (std::size_t i = 0; i < out_.segments.size(); ++i) {
      Segment& s = out_.segments[i];
      s.x = (out_.width - s.width) / 2;
      const int end = i + 1 < first_node_.size() ? first_node_[i + 1] : static_cast<int>(out_.nodes.size());
      for (int n = first_node_[i]; n < end; ++n) out_.nodes[static_cast<std::size_t>(n)].x += s.x;
      for (; edge < out_.edges.size() && out_.edges[edge].from < end; ++edge)
        for (Point& p : out_.edges[edge].points) p.x += s.x;
      out_.height = s.y + s.height;
    }
  }

  const cli::SizeResult& result_;
  const Analysis& analysis_;
  const std::vector<ModuleRow>& modules_;
  const std::set<std::size_t>& unfolded_;
  std::map<int, PlacedGraph> placed_;
  GraphDrawing out_;
  std::vector<int> first_node_;
};

std::int64_t repeats_at(const std::vector<Step>& steps, std::size_t begin, std::size_t period) {
  std::int64_t repeats = 1;
  for (std::size_t i = begin + period; i + period <= steps.size(); i += period) {
    for (std::size_t k = 0; k < period; ++k)
      if (steps[i + k].trace != steps[begin + k].trace) return repeats;
    ++repeats;
  }
  return repeats;
}

}  // namespace

std::vector<StepGroup> group_steps(const std::vector<Step>& steps) {
  std::vector<StepGroup> groups;
  for (std::size_t i = 0; i < steps.size();) {
    std::size_t period = 1, covered = 1;
    for (std::size_t p = 1; p <= kMaxPeriod && i + p <= steps.size(); ++p) {
      const auto n = static_cast<std::size_t>(repeats_at(steps, i, p));
      if ((n > 1 || p == 1) && n * p > covered) {
        period = p;
        covered = n * p;
      }
    }
    StepGroup group{{}, static_cast<std::int64_t>(covered / period), i};
    for (std::size_t k = 0; k < period; ++k) group.traces.push_back(steps[i + k].trace);
    groups.push_back(std::move(group));
    i += covered;
  }
  return groups;
}

GraphDrawing draw_graph(const cli::SizeResult& result, const std::vector<ModuleRow>& modules,
                        const std::set<std::size_t>& unfolded) {
  return Drawer(result, modules, unfolded).run();
}

std::string short_layout(const std::string& layout) {
  if (layout.starts_with("Replicate")) return "R" + layout.substr(9);
  if (layout.starts_with("Shard")) return "S" + layout.substr(5);
  if (layout.starts_with("Partial")) return "P";
  return layout;
}

const char* short_name(CollectiveOp op) {
  switch (op) {
    case CollectiveOp::all_reduce: return "AR";
    case CollectiveOp::all_gather: return "AG";
    case CollectiveOp::reduce_scatter: return "RS";
    case CollectiveOp::all_to_all: return "A2A";
    case CollectiveOp::broadcast: return "BC";
    case CollectiveOp::send: return "S";
  }
  return "";
}

}  // namespace tpsim::gui
