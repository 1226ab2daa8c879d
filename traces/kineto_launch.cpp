#include <algorithm>
#include <unordered_map>

#include "traces/kineto.h"

namespace tpsim {
namespace {

using Stack = std::vector<int>;  // open operations of one thread, outermost first

std::string thread_key(const KinetoEvent& e) { return std::to_string(e.process) + "/" + e.thread; }

double end_us(const KinetoEvent& e) { return e.start_us + e.duration_us; }

bool is_graph_launch(const KinetoEvent& e) { return e.name.find("GraphLaunch") != std::string::npos; }

bool tells_something(const KinetoEvent& e) {
  return e.collective || std::any_of(e.shapes.begin(), e.shapes.end(), [](const auto& s) { return !s.empty(); });
}

// The innermost of the open operations that tells something, else the innermost.
int best_of(const KinetoTrace& trace, const Stack& open) {
  for (auto it = open.rbegin(); it != open.rend(); ++it)
    if (tells_something(trace.events[static_cast<std::size_t>(*it)])) return *it;
  return open.empty() ? -1 : open.back();
}

// The operation around each launch, by the launch's correlation.
std::unordered_map<std::int64_t, int> operations_of_launches(const KinetoTrace& trace) {
  std::unordered_map<std::string, Stack> open;
  std::unordered_map<std::int64_t, int> found;
  for (std::size_t i = 0; i < trace.events.size(); ++i) {
    const KinetoEvent& e = trace.events[i];
    const bool is_op = e.category == KinetoCategory::cpu_op;
    if (!is_op && e.category != KinetoCategory::runtime) continue;
    Stack& stack = open[thread_key(e)];
    while (!stack.empty() && end_us(trace.events[static_cast<std::size_t>(stack.back())]) <= e.start_us)
      stack.pop_back();
    if (is_op)
      stack.push_back(static_cast<int>(i));
    else if (e.correlation >= 0 && !is_graph_launch(e))
      found.emplace(e.correlation, best_of(trace, stack));
  }
  return found;
}

// Traces without launch calls name the operation by its number.
std::unordered_map<std::int64_t, int> operations_by_id(const KinetoTrace& trace) {
  std::unordered_map<std::int64_t, int> found;
  for (std::size_t i = 0; i < trace.events.size(); ++i) {
    const KinetoEvent& e = trace.events[i];
    if (e.category == KinetoCategory::cpu_op && e.external_id > 0) found.emplace(e.external_id, static_cast<int>(i));
  }
  return found;
}

int lookup(const std::unordered_map<std::int64_t, int>& map, std::int64_t key) {
  const auto it = map.find(key);
  return it == map.end() ? -1 : it->second;
}

}  // namespace

std::vector<int> launching_operations(const KinetoTrace& trace) {
  const auto by_launch = operations_of_launches(trace);
  const auto by_id = operations_by_id(trace);
  std::vector<int> operations(trace.events.size(), -1);
  for (std::size_t i = 0; i < trace.events.size(); ++i) {
    const KinetoEvent& e = trace.events[i];
    if (e.category != KinetoCategory::kernel) continue;
    operations[i] = lookup(by_launch, e.correlation);
    if (operations[i] < 0 && by_launch.empty()) operations[i] = lookup(by_id, e.external_id);
  }
  return operations;
}

}  // namespace tpsim
