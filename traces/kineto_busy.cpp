#include "traces/kineto_busy.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

namespace tpsim {
namespace {

struct Interval {
  double begin = 0, end = 0;
};
using Intervals = std::vector<Interval>;  // ascending, apart

void add(Intervals& list, const KinetoEvent& event) {  // in order of begin
  const Interval next{event.start_us, event.start_us + event.duration_us};
  if (!list.empty() && next.begin <= list.back().end)
    list.back().end = std::max(list.back().end, next.end);
  else
    list.push_back(next);
}

double total(const Intervals& list) {
  double sum = 0;
  for (const Interval& i : list) sum += i.end - i.begin;
  return sum;
}

double common(const Intervals& a, const Intervals& b) {
  double sum = 0;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    sum += std::max(0.0, std::min(a[i].end, b[j].end) - std::max(a[i].begin, b[j].begin));
    (a[i].end < b[j].end ? i : j) += 1;
  }
  return sum;
}

// Host operations inside which no other begins, per thread.
std::vector<int> leaf_operations(const KinetoTrace& trace) {
  std::unordered_map<std::string, int> last;  // of a thread
  std::vector<bool> leaf(trace.events.size(), false);
  for (std::size_t i = 0; i < trace.events.size(); ++i) {
    const KinetoEvent& e = trace.events[i];
    if (e.category != KinetoCategory::cpu_op) continue;
    leaf[i] = true;
    const std::string thread = std::to_string(e.process) + "/" + e.thread;
    const auto [it, fresh] = last.try_emplace(thread, static_cast<int>(i));
    if (fresh) continue;
    const KinetoEvent& before = trace.events[static_cast<std::size_t>(it->second)];
    if (before.start_us + before.duration_us > e.start_us) leaf[static_cast<std::size_t>(it->second)] = false;
    it->second = static_cast<int>(i);
  }
  std::vector<int> list;
  for (std::size_t i = 0; i < leaf.size(); ++i)
    if (leaf[i]) list.push_back(static_cast<int>(i));
  return list;
}

}  // namespace

bool has_kernels(const KinetoTrace& trace) {
  return std::any_of(trace.events.begin(), trace.events.end(),
                     [](const KinetoEvent& e) { return e.category == KinetoCategory::kernel; });
}

bool is_collective(const KinetoEvent& event) {
  return event.collective || kernel_family(event.name) == "collective" || event.name.starts_with("c10d::");
}

std::vector<int> working_events(const KinetoTrace& trace) {
  if (!has_kernels(trace)) return leaf_operations(trace);
  std::vector<int> list;
  for (std::size_t i = 0; i < trace.events.size(); ++i)
    if (trace.events[i].category == KinetoCategory::kernel) list.push_back(static_cast<int>(i));
  return list;
}

DeviceBusy device_busy(const KinetoTrace& trace) {
  DeviceBusy busy;
  Intervals computation, communication;
  double begin = 0, end = 0;
  for (const int index : working_events(trace)) {
    const KinetoEvent& e = trace.events[static_cast<std::size_t>(index)];
    const bool collective = is_collective(e);
    add(collective ? communication : computation, e);
    busy.collectives += collective ? 1 : 0;
    begin = busy.kernels == 0 ? e.start_us : std::min(begin, e.start_us);
    end = std::max(end, e.start_us + e.duration_us);
    ++busy.kernels;
  }
  busy.span = busy.kernels == 0 ? 0 : end - begin;
  busy.computation = total(computation);
  busy.communication = total(communication);
  busy.overlapped = common(computation, communication);
  return busy;
}

int marked_steps(const KinetoTrace& trace) {
  std::set<std::string> steps;
  int passes = 0;
  for (const KinetoEvent& e : trace.events) {
    if (e.category != KinetoCategory::annotation) continue;
    if (e.name.starts_with("ProfilerStep")) steps.insert(e.name);
    if (e.name.starts_with("execute_")) ++passes;
  }
  return steps.empty() ? passes : static_cast<int>(steps.size());
}

RepeatedModule repeated_module(const KinetoTrace& trace) {
  constexpr std::string_view prefix = "nn.Module: ";
  std::map<std::string, std::set<std::string>> instances;
  for (const KinetoEvent& e : trace.events) {
    if (!e.name.starts_with(prefix)) continue;
    const auto bar = e.name.rfind('_');
    if (bar == std::string::npos || bar <= prefix.size()) continue;
    const std::string name = e.name.substr(prefix.size(), bar - prefix.size());
    if (name.ends_with("Layer") || name.ends_with("Block")) instances[name].insert(e.name.substr(bar + 1));
  }
  RepeatedModule best;
  for (const auto& [name, numbers] : instances)
    if (static_cast<int>(numbers.size()) > best.count) best = {name, static_cast<int>(numbers.size())};
  return best;
}

}  // namespace tpsim
