#include "cli/import_operations.h"

#include <algorithm>
#include <map>

#include "cli/collective_rows.h"
#include "cli/trace_rows.h"
#include "core/module_path.h"
#include "sim/fit/errors.h"
#include "traces/kineto_busy.h"

namespace tpsim::cli {
namespace {

// Which module has a product of that many outputs and inputs.
class ModulesByShape {
public:
  explicit ModulesByShape(const std::optional<Analysis>& analysis) {
    if (!analysis) return;
    tokens_ = std::max<std::int64_t>(analysis->workload.batch * analysis->workload.tokens, 1);
    for (std::size_t t = 0; t < analysis->traces.size(); ++t) add(*analysis, static_cast<int>(t));
  }

  // Forward, else as the gradient of an input (outputs and inputs change places) or of a weight (its rows are outputs).
  std::string of(const Product& p) const {
    if (const std::string module = at({p.n, p.k}); !module.empty()) return module;
    if (const std::string module = at({p.k, p.n}); !module.empty()) return module + " (gradient of the input)";
    if (const std::string module = at({p.m, p.n}); !module.empty()) return module + " (gradient of the weight)";
    if (const std::string module = at({p.n, p.m}); !module.empty()) return module + " (gradient of the weight)";
    return "";
  }

  // The collectives of which one token's bytes go into those of the call a whole number of times.
  std::string of(const Exchange& e) const {
    std::vector<std::string> found;
    for (const auto& [op, bytes, module] : events_) {
      const bool known = std::find(found.begin(), found.end(), module) != found.end();
      if (op == e.op && bytes > 0 && e.bytes % bytes == 0 && !known) found.push_back(module);
    }
    if (found.size() < 2) return found.empty() ? "" : found.front();
    return found.front() + " and " + std::to_string(found.size() - 1) + " more";
  }

private:
  using Key = std::pair<std::int64_t, std::int64_t>;

  std::string at(const Key& key) const {
    const auto it = modules_.find(key);
    return it == modules_.end() ? std::string() : it->second;
  }

  void add(const Analysis& analysis, int t) {
    const Trace& trace = analysis.traces[static_cast<std::size_t>(t)];
    const std::string prefix = prefix_pattern(analysis, t);
    for (std::size_t i = 0; i < trace.operations.size(); ++i) {
      const Operation& op = trace.operations[i];
      if (op.kind != OperationKind::gemm) continue;
      const std::string module = full_path(prefix, op.module);
      modules_.try_emplace({op.n, op.k}, module);
      // Stacks join neighbours that share an input: q, k and v; gate and up.
      std::int64_t outputs = op.n;
      std::string names = module;
      for (std::size_t j = i + 1; j < trace.operations.size(); ++j) {
        if (trace.operations[j].kind != OperationKind::gemm) continue;
        if (!same_input(op, trace.operations[j])) break;
        outputs += trace.operations[j].n;
        names += " + " + path_components(trace.operations[j].module).back();
        modules_.try_emplace({outputs, op.k}, names);
      }
    }
    for (const CollectiveEvent& event : trace.forward)
      events_.emplace_back(event.op, event.payload_bytes / tokens_, full_path(prefix, event.module));
  }

  std::map<Key, std::string> modules_;
  std::vector<std::tuple<CollectiveOp, std::int64_t, std::string>> events_;
  std::int64_t tokens_ = 1;
};

struct Calls {
  std::map<Product, std::vector<double>> products;
  std::map<Exchange, std::vector<double>> exchanges;
};

// The operation that a working event belongs to: itself on a CPU.
const KinetoEvent* operation_of(const KinetoTrace& trace, const std::vector<int>& launched_by, int index) {
  const auto i = static_cast<std::size_t>(index);
  if (trace.events[i].category != KinetoCategory::kernel) return &trace.events[i];
  return launched_by[i] < 0 ? nullptr : &trace.events[static_cast<std::size_t>(launched_by[i])];
}

void collect(const KinetoTrace& trace, Calls& calls) {
  const std::vector<int> launched_by = launching_operations(trace);
  std::map<const KinetoEvent*, double> products;  // all kernels of one call together
  for (const int index : working_events(trace)) {
    const KinetoEvent& event = trace.events[static_cast<std::size_t>(index)];
    const KinetoEvent* const op = operation_of(trace, launched_by, index);
    if (is_collective(event)) {
      if (const auto exchange = exchange_of(event, op, trace.world_size); exchange && event.duration_us > 0)
        calls.exchanges[*exchange].push_back(event.duration_us);
    } else if (op != nullptr && product_of(*op)) {
      products[op] += event.duration_us;
    }
  }
  for (const auto& [op, us] : products) calls.products[*product_of(*op)].push_back(us);
}

KernelCall call_of(const Product& p) {
  KernelCall call;
  call.kind = KernelKind::gemm;
  call.weights = call.activations = call.products = p.dtype;
  call.rows = p.m;
  call.n = p.n;
  call.k = p.k;
  return call;
}

ImportedCalls summed(std::vector<double> times) {
  ImportedCalls calls;
  calls.calls = static_cast<std::int64_t>(times.size());
  calls.least_us = *std::min_element(times.begin(), times.end());
  for (const double us : times) calls.sum_us += us;
  calls.median_us = quantile(times, 0.5);
  return calls;
}

}  // namespace

std::vector<ImportedCalls> imported_calls(const std::vector<KinetoTrace>& traces, const ImportBasis& basis,
                                          Predictor* predictor) {
  const ModulesByShape modules(basis.analysis);
  Calls calls;
  for (const KinetoTrace& trace : traces) collect(trace, calls);
  std::vector<ImportedCalls> list;
  for (const auto& [product, times] : calls.products) {
    ImportedCalls row = summed(times);
    row.name = std::string("product ") + to_string(product.dtype);
    row.shape = to_string(Shape{product.m, product.n, product.k});
    row.module = modules.of(product);
    if (predictor != nullptr) row.predicted = predictor->kernel(call_of(product));
    list.push_back(std::move(row));
  }
  for (const auto& [exchange, times] : calls.exchanges) {
    ImportedCalls row = summed(times);
    row.collective = true;
    row.name = to_string(exchange.op);
    row.shape = std::to_string(exchange.bytes) + " bytes, " + std::to_string(exchange.ranks) + " ranks";
    row.module = modules.of(exchange);
    if (predictor != nullptr)
      row.predicted = predictor->collective(exchange.op, static_cast<double>(exchange.bytes), exchange.ranks).time;
    list.push_back(std::move(row));
  }
  std::stable_sort(list.begin(), list.end(),
                   [](const ImportedCalls& a, const ImportedCalls& b) { return a.sum_us > b.sum_us; });
  return list;
}

}  // namespace tpsim::cli
