// Small functions of analysis.h.
#include <algorithm>
#include <utility>

#include "core/analysis.h"
#include "core/module_path.h"

namespace tpsim {

const char* to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::right: return "right";
    case Verdict::wrong: return "wrong";
    case Verdict::error: return "error";
    case Verdict::unknown: return "unknown";
  }
  return "";
}

const char* to_string(RuleOrigin origin) {
  switch (origin) {
    case RuleOrigin::config_plan: return "config plan";
    case RuleOrigin::class_plan: return "class plan";
    case RuleOrigin::injected: return "injected";
    case RuleOrigin::user: return "user";
    case RuleOrigin::expert_plan: return "expert plan";
  }
  return "";
}

const char* to_string(OperationKind kind) {
  switch (kind) {
    case OperationKind::gemm: return "gemm";
    case OperationKind::grouped_gemm: return "grouped_gemm";
    case OperationKind::attention: return "attention";
    case OperationKind::norm: return "norm";
    case OperationKind::rope: return "rope";
    case OperationKind::elementwise: return "elementwise";
    case OperationKind::softmax: return "softmax";
    case OperationKind::embedding: return "embedding";
    case OperationKind::routing: return "routing";
    case OperationKind::copy: return "copy";
  }
  return "";
}

namespace {

const std::vector<CollectiveEvent>& list_of(const Trace& trace, EventList list) {
  switch (list) {
    case EventList::forward: return trace.forward;
    case EventList::train_forward: return trace.train_forward;
    case EventList::backward: return trace.backward;
  }
  return trace.forward;
}

}  // namespace

std::vector<CollectiveEvent> events(const Analysis& analysis, EventList list) {
  std::vector<CollectiveEvent> all;
  for (const Step& step : analysis.steps)
    for (CollectiveEvent event : list_of(analysis.traces[static_cast<std::size_t>(step.trace)], list)) {
      event.module = full_path(step.prefix, event.module);
      all.push_back(std::move(event));
    }
  if (list == EventList::backward) std::reverse(all.begin(), all.end());
  return all;
}

std::vector<std::string> names(const ShardSpec& spec) {
  std::vector<std::string> result{""};
  std::size_t star = 0;
  for (char c : spec.pattern) {
    if (c != '*' || star >= spec.indices.size()) {
      for (std::string& name : result) name += c;
      continue;
    }
    std::vector<std::string> next;
    for (const std::string& name : result)
      for (int index : spec.indices[star]) next.push_back(name + std::to_string(index));
    result = std::move(next);
    ++star;
  }
  return result;
}

int heaviest_rank(const Analysis& analysis) {
  int heaviest = 0;
  for (std::size_t r = 1; r < analysis.memory.size(); ++r)
    if (total_bytes(analysis.memory[r]) > total_bytes(analysis.memory[static_cast<std::size_t>(heaviest)]))
      heaviest = static_cast<int>(r);
  return heaviest;
}

std::int64_t total_bytes(const RankMemory& memory) {
  return memory.weights + memory.kv_cache + memory.activations + memory.communication;
}

std::int64_t total_weight_bytes(const Analysis& analysis) {
  std::int64_t total = 0;
  for (const ShardSpec& spec : analysis.shards) total += spec.bytes * spec.count;
  return total;
}

}  // namespace tpsim
