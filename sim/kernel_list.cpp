#include "sim/kernel_list.h"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace tpsim {
namespace {

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

KernelKind small_kind(const Operation& op) {
  if (op.kind == OperationKind::norm) return KernelKind::norm;
  if (op.kind == OperationKind::rope) return KernelKind::rope;
  if (op.kind == OperationKind::copy || op.kind == OperationKind::softmax) return KernelKind::copy;
  return op.name == "add" || op.name == "sub" ? KernelKind::addition : KernelKind::activation;
}

// The part of a small kernel that decides what it is called: norm > rope > activation > addition > copy.
int rank_of(KernelKind kind) {
  switch (kind) {
    case KernelKind::norm: return 4;
    case KernelKind::rope: return 3;
    case KernelKind::activation: return 2;
    case KernelKind::addition: return 1;
    case KernelKind::gemm:
    case KernelKind::batched_gemm:
    case KernelKind::experts:
    case KernelKind::attention:
    case KernelKind::latent_attention:
    case KernelKind::embedding:
    case KernelKind::routing:
    case KernelKind::copy: break;
  }
  return 0;
}

double own_bytes(const Operation& op) {
  return static_cast<double>(op.weight_bytes) + static_cast<double>(op.input_bytes) +
         static_cast<double>(op.output_bytes);
}

// Bytes that stay in registers because `op` runs in the kernel of `before`, whose output it reads. After an addition a
// norm reads, the sum itself is still stored.
double kept_bytes(const Operation& before, const Operation& op) {
  const double handed_over = static_cast<double>(std::min(before.output_bytes, op.input_bytes));
  if (op.kind == OperationKind::norm) return handed_over;
  if (op.kind == OperationKind::elementwise || op.kind == OperationKind::softmax) return 2 * handed_over;
  return 0;
}

std::int64_t whole(double value) { return std::llround(value); }

// Walks a trace once.
class Lister {
public:
  Lister(const Trace& trace, const TraceSetting& setting, KernelList& out)
      : trace_(trace), s_(setting), out_(out), rows_(s_.workload.batch * s_.workload.tokens) {
    const double rows = static_cast<double>(s_.is_head ? s_.load.head_rows : s_.load.rows);
    const bool last_only = s_.is_head && !s_.workload.all_logits;
    const double known = static_cast<double>(last_only ? s_.workload.batch : rows_);
    scale_ = known > 0 ? rows / known : 1;
    out_.kernels.clear();
    out_.kernel_of.assign(trace.operations.size(), -1);
  }

  void run() {
    for (std::size_t i = 0; i < trace_.operations.size(); ++i) {
      if (communicates_before(i)) product_ = small_ = experts_ = -1;
      add(i);
    }
    const bool ends_small =
        small_ >= 0 && out_.kernels[static_cast<std::size_t>(small_)].call.kind == KernelKind::addition;
    if (s_.fuses && s_.norm_follows && ends_small) out_.kernels[static_cast<std::size_t>(small_)].call.joined = true;
  }

private:
  bool communicates_before(std::size_t index) {
    bool found = false;
    for (; next_event_ < trace_.forward_after.size() && trace_.forward_after[next_event_] <= static_cast<int>(index);
         ++next_event_)
      found = true;
    return found;
  }

  const Operation& operation(std::size_t i) const { return trace_.operations[i]; }
  std::int64_t scaled(std::int64_t value) const { return whole(static_cast<double>(value) * scale_); }

  void add(std::size_t i) {
    const Operation& op = operation(i);
    if (is_small(op.kind)) return in_routing_ ? join(i, latest()) : add_small(i);
    if (op.kind == OperationKind::gemm) return add_product(i);
    if (op.kind == OperationKind::routing) return add_routing(i);
    product_ = small_ = -1;
    switch (op.kind) {
      case OperationKind::grouped_gemm: return add_grouped(i);
      case OperationKind::attention: return add_attention(i);
      case OperationKind::routing:
      case OperationKind::embedding: return start(i, moved(KernelKind::embedding, i, own_bytes(op)));
      case OperationKind::gemm:
      case OperationKind::norm:
      case OperationKind::rope:
      case OperationKind::elementwise:
      case OperationKind::softmax:
      case OperationKind::copy: break;
    }
  }

  void start(std::size_t i, const KernelCall& call) {
    in_routing_ = false;
    out_.kernel_of[i] = static_cast<int>(out_.kernels.size());
    out_.kernels.push_back({call, static_cast<int>(i)});
  }
  int latest() const { return static_cast<int>(out_.kernels.size()) - 1; }
  void join(std::size_t i, int kernel) { out_.kernel_of[i] = kernel; }

  KernelCall typed(KernelKind kind) const {
    KernelCall call;
    call.kind = kind;
    call.weights = s_.precision.activations;
    call.activations = call.kv_cache = call.products = s_.precision.activations;
    return call;
  }

  void set_weights(KernelCall& call, DType weights) const {
    call.weights = weights;
    call.block_scaled = s_.precision.block_scaled && weights == DType::fp8;
    call.static_scales = s_.precision.static_scales && weights == DType::fp8 && !call.block_scaled;
    const bool multiplies = weights == DType::fp8 || weights == DType::fp32 ||
                            (s_.precision.four_bit_products && element_bits(weights) == 4);
    call.products = multiplies ? weights : s_.precision.activations;
  }

  KernelCall moved(KernelKind kind, std::size_t i, double bytes) const {
    const Operation& op = operation(i);
    KernelCall call = typed(kind);
    call.bytes = whole((bytes - static_cast<double>(op.weight_bytes)) * scale_) + op.weight_bytes;
    call.rows = s_.is_head ? s_.load.head_rows : s_.load.rows;
    const std::int64_t bits = element_bits(s_.workload.activations) * std::max<std::int64_t>(rows_, 1);
    call.n = s_.is_head ? 0 : op.output_bytes * 8 / std::max<std::int64_t>(bits, 1);
    return call;
  }

  void add_product(std::size_t i) {
    const Operation& op = operation(i);
    if (s_.fuses && product_ >= 0 &&
        same_input(operation(static_cast<std::size_t>(out_.kernels[static_cast<std::size_t>(product_)].first)), op)) {
      out_.kernels[static_cast<std::size_t>(product_)].call.n += op.n;
      return join(i, product_);
    }
    small_ = -1;
    KernelCall call = typed(KernelKind::gemm);
    set_weights(call, s_.is_head ? s_.precision.head : s_.precision.linear);
    call.rows = scaled(op.m);
    call.n = op.n;
    call.k = op.k;
    start(i, call);
    product_ = latest();
  }

  void add_small(std::size_t i) {
    const Operation& op = operation(i);
    if (small_ < 0 || !s_.fuses) {
      start(i, moved(small_kind(op), i, own_bytes(op)));
      small_ = latest();
    } else {
      KernelCall& call = out_.kernels[static_cast<std::size_t>(small_)].call;
      const double added =
          std::max(-static_cast<double>(call.bytes), own_bytes(op) - kept_bytes(operation(last_small_), op));
      const KernelCall own = moved(small_kind(op), i, std::max(0.0, added));
      call.bytes += own.bytes + (added < 0 ? whole(added * scale_) : 0);
      if (rank_of(own.kind) > rank_of(call.kind)) {
        call.kind = own.kind;
        call.n = own.n;
      }
      join(i, small_);
    }
    last_small_ = i;
  }

  // The softmax or sigmoid before the selection runs in its kernel, as what follows it does.
  void add_routing(std::size_t i) {
    const KernelCall call = moved(KernelKind::routing, i, own_bytes(operation(i)));
    if (small_ >= 0) {
      KernelCall& before = out_.kernels[static_cast<std::size_t>(small_)].call;
      before.kind = KernelKind::routing;
      before.bytes += call.bytes;
      join(i, small_);
    } else {
      start(i, call);
    }
    product_ = small_ = -1;
    in_routing_ = true;
  }

  void add_grouped(std::size_t i) {
    const Operation& op = operation(i);
    if (op.name == "bmm") {
      KernelCall call = typed(KernelKind::batched_gemm);
      set_weights(call, s_.precision.experts);
      call.rows = scaled(op.m);
      call.n = op.n;
      call.k = op.k;
      call.experts = op.experts;
      return start(i, call);
    }
    if (experts_ >= 0) return join(i, experts_);
    KernelCall call = typed(KernelKind::experts);
    set_weights(call, s_.precision.experts);
    call.rows = s_.load.rows;
    call.k = op.k;
    call.experts = op.experts;
    call.all_experts = op.experts * s_.expert_ranks;
    const double per_row = rows_ > 0 ? static_cast<double>(op.m) * s_.expert_ranks / static_cast<double>(rows_) : 1;
    call.topk = std::max<std::int64_t>(1, whole(per_row));
    call.n = intermediate(i);
    if (s_.load.expert_split > 1 && s_.expert_ranks == 1) {
      call.experts = std::max<std::int64_t>(1, call.experts / s_.load.expert_split);
      call.n *= s_.load.expert_split;
    }
    start(i, call);
    experts_ = latest();
  }

  // Width between the two products, of this rank.
  std::int64_t intermediate(std::size_t i) const {
    const bool second = i + 1 < trace_.operations.size() && operation(i + 1).kind == OperationKind::grouped_gemm &&
                        operation(i + 1).n == operation(i).k;
    return second ? operation(i + 1).k : operation(i).n / 2;
  }

  bool is_latent(const Operation& op) const {
    const std::int64_t bits = element_bits(s_.workload.kv_cache);
    const std::int64_t plain = op.kv_heads * (op.head_dim + op.value_dim) * bits / 8;
    return trace_.cache_bytes_per_position > 0 && trace_.cache_bytes_per_position < plain && op.heads == op.kv_heads &&
           op.head_dim != op.value_dim;
  }

  void add_attention(std::size_t i) {
    const Operation& op = operation(i);
    const std::int64_t reach = s_.workload.past + s_.workload.tokens;
    const std::int64_t window = op.context < reach ? op.context : 0;
    KernelCall call = typed(is_latent(op) ? KernelKind::latent_attention : KernelKind::attention);
    call.kv_cache = s_.precision.kv_cache;
    call.heads = op.heads;
    call.kv_heads = op.kv_heads;
    call.head_dim = op.head_dim;
    call.value_dim = op.value_dim;
    call.window = window;
    call.causal = s_.load.causal;
    for (const AttentionGroup& group : s_.load.groups) {
      call.sequences = group.sequences;
      call.query = group.query;
      call.context = group.context;
      if (out_.kernel_of[i] < 0)
        start(i, call);
      else
        out_.kernels.push_back({call, static_cast<int>(i)});
    }
  }

  const Trace& trace_;
  const TraceSetting& s_;
  KernelList& out_;
  std::int64_t rows_;
  double scale_ = 1;
  int product_ = -1;  // kernel of the products of the input at hand
  int small_ = -1;    // the small kernel at hand
  int experts_ = -1;
  std::size_t last_small_ = 0;  // operation
  bool in_routing_ = false;
  std::size_t next_event_ = 0;
};

}  // namespace

Precision precision_of(const Workload& w) { return {w.weights, w.weights, w.weights, w.activations, w.kv_cache}; }

Load load_of(const Workload& w) {
  Load load;
  load.rows = w.batch * w.tokens;
  load.head_rows = w.all_logits ? load.rows : w.batch;
  load.groups = {{w.batch, w.tokens, w.past + w.tokens}};
  return load;
}

bool same_input(const Operation& a, const Operation& b) {
  return a.m == b.m && a.k == b.k && parent(a.module) == parent(b.module);
}

void list_kernels(const Trace& trace, const TraceSetting& setting, KernelList& out) {
  Lister(trace, setting, out).run();
}

}  // namespace tpsim
