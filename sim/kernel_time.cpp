#include "sim/kernel_time.h"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace tpsim {
namespace {

// Fixed time in kernels' floors: attention writes the cache, runs over splits of the context and combines them; experts
// sort the routes, permute, multiply and permute back.
constexpr double kAttentionFloors = 3, kExpertFloors = 5;
// Rows of the smallest tile of a grouped product: half of one is padding on average, per expert.
constexpr double kExpertTileRows = 16;

struct Rates {
  double gemm = 1, attention = 1, bytes = 1;  // per second, attained
  double floor = 0;                           // seconds
  int kv_bits = 16;
};

DType wider_of(DType a, DType b) { return element_bits(a) >= element_bits(b) ? a : b; }

Rates rates_of(const Workload& w, const Hardware& h) {
  Rates r;
  r.gemm = peak_rate(h, wider_of(w.weights, w.activations)).value * h.compute_efficiency;
  r.attention = peak_rate(h, wider_of(w.activations, w.kv_cache)).value * h.attention_efficiency;
  r.bytes = h.memory_bandwidth.value * h.bandwidth_efficiency;
  r.floor = h.kernel_floor.count();
  r.kv_bits = element_bits(w.kv_cache);
  return r;
}

struct Work {
  double flops_time = 0, bytes = 0, floors = 1;
};

double own_bytes(const Operation& op) {
  return static_cast<double>(op.weight_bytes) + static_cast<double>(op.input_bytes) +
         static_cast<double>(op.output_bytes);
}

// Keys and values of the context; latent caches (MLA) are read as they are stored.
double cache_read(const Operation& op, const Trace& trace, const Rates& r) {
  const double width = static_cast<double>(op.kv_heads) * static_cast<double>(op.head_dim + op.value_dim);
  const double whole = static_cast<double>(op.sequences) * static_cast<double>(op.context) * width * r.kv_bits / 8;
  return trace.cache_bytes > 0 ? std::min(whole, static_cast<double>(trace.cache_bytes)) : whole;
}

Work expert_work(const Operation& op, const Rates& r) {
  const double held = static_cast<double>(op.experts), rows = static_cast<double>(op.m);
  const double active = op.name == "bmm" ? held : active_experts(held, rows);
  const double share = held > 0 ? active / held : 0;
  const double padding = rows > 0 ? 1 + active * kExpertTileRows / 2 / rows : 1;
  const double bytes = static_cast<double>(op.weight_bytes) * share + static_cast<double>(op.input_bytes) +
                       static_cast<double>(op.output_bytes);
  return {op.flops * padding / r.gemm, bytes, kExpertFloors};
}

Work work_of(const Operation& op, const Trace& trace, const Rates& r) {
  switch (op.kind) {
    case OperationKind::gemm: return {op.flops / r.gemm, own_bytes(op), 1};
    case OperationKind::grouped_gemm: return expert_work(op, r);
    case OperationKind::attention:
      return {op.flops / r.attention, own_bytes(op) + cache_read(op, trace, r), kAttentionFloors};
    case OperationKind::norm:
    case OperationKind::rope:
    case OperationKind::elementwise:
    case OperationKind::softmax:
    case OperationKind::embedding:
    case OperationKind::routing:
    case OperationKind::copy: break;
  }
  return {0, own_bytes(op), 1};
}

bool is_small(OperationKind kind) {
  switch (kind) {
    case OperationKind::norm:
    case OperationKind::rope:
    case OperationKind::elementwise:
    case OperationKind::softmax:
    case OperationKind::copy: return true;
    case OperationKind::gemm:
    case OperationKind::grouped_gemm:
    case OperationKind::attention:
    case OperationKind::embedding:
    case OperationKind::routing: break;
  }
  return false;
}

std::string_view parent(std::string_view module) {
  const std::size_t dot = module.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : module.substr(0, dot);
}

bool same_input(const Operation& a, const Operation& b) {
  return a.m == b.m && a.k == b.k && parent(a.module) == parent(b.module);
}

// Bytes that stay in registers because `op` runs in the kernel of `before`, whose output it reads. After an addition a
// norm reads, the sum itself is still stored.
double kept_bytes(const Operation& before, const Operation& op) {
  const double handed_over = static_cast<double>(std::min(before.output_bytes, op.input_bytes));
  switch (op.kind) {
    case OperationKind::norm: return handed_over;
    case OperationKind::elementwise:
    case OperationKind::softmax: return 2 * handed_over;
    case OperationKind::rope:
    case OperationKind::copy:
    case OperationKind::gemm:
    case OperationKind::grouped_gemm:
    case OperationKind::attention:
    case OperationKind::embedding:
    case OperationKind::routing: break;
  }
  return 0;
}

// Which kernel an operation joins; walks the trace once.
class Fusion {
public:
  explicit Fusion(const Trace& trace) : trace_(trace) {}

  // Takes the fixed time and bytes from `work` that operation `index` does not have.
  void apply(std::size_t index, Work& work) {
    const Operation& op = trace_.operations[index];
    if (communicates_before(index)) product_ = small_ = nullptr;
    if (op.kind == OperationKind::gemm)
      join_product(op, work);
    else if (is_small(op.kind))
      join_small(op, work);
    else
      product_ = small_ = nullptr;
  }

private:
  bool communicates_before(std::size_t index) {
    bool found = false;
    for (; next_event_ < trace_.forward_after.size() && trace_.forward_after[next_event_] <= static_cast<int>(index);
         ++next_event_)
      found = true;
    return found;
  }

  void join_product(const Operation& op, Work& work) {
    if (product_ != nullptr && same_input(*product_, op)) {
      work.floors = 0;
      return;
    }
    product_ = &op;
    small_ = nullptr;
  }

  void join_small(const Operation& op, Work& work) {
    if (small_ != nullptr) {
      work.floors = 0;
      work.bytes = std::max(0.0, work.bytes - kept_bytes(*small_, op));
    }
    small_ = &op;
  }

  const Trace& trace_;
  const Operation* product_ = nullptr;  // first product of the input at hand
  const Operation* small_ = nullptr;    // last operation of the small kernel at hand
  std::size_t next_event_ = 0;
};

KernelTime time_of(const Work& work, const Rates& r) {
  const double fixed = work.floors * r.floor, bytes_time = work.bytes / r.bytes;
  const double moving = std::max(work.flops_time, bytes_time);
  const Bound bound = fixed > moving ? Bound::latency : work.flops_time > bytes_time ? Bound::compute : Bound::memory;
  return {Seconds(fixed + moving), bound};
}

}  // namespace

double active_experts(double experts, double rows) {
  if (experts <= 1) return std::min(experts, rows);
  return experts * -std::expm1(rows * std::log1p(-1 / experts));
}

std::vector<KernelTime> kernel_times(const Trace& trace, const Workload& workload, const Hardware& hardware,
                                     bool norm_follows) {
  const Rates rates = rates_of(workload, hardware);
  std::vector<KernelTime> times;
  times.reserve(trace.operations.size());
  Fusion fusion(trace);
  for (std::size_t i = 0; i < trace.operations.size(); ++i) {
    const Operation& op = trace.operations[i];
    Work work = work_of(op, trace, rates);
    fusion.apply(i, work);
    const bool last = i + 1 == trace.operations.size();
    if (last && norm_follows && op.kind == OperationKind::elementwise) work.floors = 0;
    times.push_back(time_of(work, rates));
  }
  return times;
}

}  // namespace tpsim
