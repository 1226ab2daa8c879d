#include "cli/trace_rows.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "cli/text.h"
#include "sim/fit/errors.h"

namespace tpsim::cli {
namespace {

// Which inputs of an operation are the product's.
struct ProductForm {
  std::string_view name;
  std::size_t left, right;
};
constexpr std::array kProducts = {ProductForm{"aten::mm", 0, 1}, ProductForm{"aten::addmm", 1, 2},
                                  ProductForm{"aten::_scaled_mm", 0, 1}};

// As nccl-tests counts: the gathered or exchanged tensor.
std::int64_t elements_of(const KinetoCollective& c, CollectiveOp op) {
  return op == CollectiveOp::all_gather ? c.out_elements : c.in_elements;
}

std::optional<Exchange> exchange_said(const KinetoCollective& c, int world) {
  const int ranks = c.group > 0 ? c.group : world;
  if (!c.op || !c.dtype || ranks < 2) return std::nullopt;
  const std::int64_t elements = elements_of(c, *c.op);
  if (elements <= 0 || elements > (std::int64_t{1} << 50)) return std::nullopt;
  return Exchange{*c.op, *c.dtype, elements * element_bits(*c.dtype) / 8, ranks, true};
}

// All-reduces of serving stacks are operations with a tensor.
std::optional<Exchange> exchange_shaped(const KinetoEvent& op, int world) {
  if (collective_named(op.name) != CollectiveOp::all_reduce || world < 2) return std::nullopt;
  for (std::size_t i = 0; i < op.shapes.size() && i < op.types.size(); ++i) {
    const auto dtype = dtype_named(op.types[i]);
    if (op.shapes[i].empty() || !dtype) continue;
    double elements = 1;
    for (const std::int64_t extent : op.shapes[i]) elements *= static_cast<double>(extent);
    if (!(elements > 0 && elements < 1e15)) return std::nullopt;
    return Exchange{CollectiveOp::all_reduce, *dtype, static_cast<std::int64_t>(elements) * element_bits(*dtype) / 8,
                    world, false};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Product> product_of(const KinetoEvent& op) {
  for (const ProductForm& form : kProducts) {
    if (op.name != form.name || op.shapes.size() <= form.right || op.types.size() <= form.right) continue;
    const auto &a = op.shapes[form.left], &b = op.shapes[form.right];
    const auto dtype = dtype_named(op.types[form.left]);
    const bool matrices = a.size() == 2 && b.size() == 2 && a[1] == b[0] && a[0] > 0 && a[1] > 0 && b[1] > 0;
    if (!matrices || !dtype || *dtype == DType::int64) return std::nullopt;
    return Product{*dtype, a[0], b[1], a[1]};
  }
  return std::nullopt;
}

std::optional<Exchange> exchange_of(const KinetoEvent& kernel, const KinetoEvent* operation, int world) {
  if (kernel.collective) return exchange_said(*kernel.collective, world);
  if (operation == nullptr) return std::nullopt;
  return operation->collective ? exchange_said(*operation->collective, world) : exchange_shaped(*operation, world);
}

namespace {

struct Totals {
  double all_us = 0, products_us = 0, collectives_us = 0, unsized_us = 0;
};

// In fp32 it is not told whether tensor cores round (TF32).
std::optional<Product> fitted_product(const KinetoEvent& operation) {
  const auto product = product_of(operation);
  return product && product->dtype != DType::fp32 ? product : std::nullopt;
}

class Collector {
public:
  void add(const KinetoTrace& trace) {
    const std::vector<int> launched_by = launching_operations(trace);
    std::map<int, double> products_by_call;
    for (std::size_t i = 0; i < trace.events.size(); ++i) {
      const KinetoEvent& kernel = trace.events[i];
      if (kernel.category != KinetoCategory::kernel) continue;
      totals_.all_us += kernel.duration_us;
      const KinetoEvent* op = launched_by[i] < 0 ? nullptr : &trace.events[static_cast<std::size_t>(launched_by[i])];
      if (op != nullptr && fitted_product(*op))
        products_by_call[launched_by[i]] += kernel.duration_us;
      else if (kernel_family(kernel.name) == "collective")
        add_collective(kernel, op, trace.world_size);
    }
    for (const auto& [call, us] : products_by_call) {
      products_[*product_of(trace.events[static_cast<std::size_t>(call)])].push_back(us);
      totals_.products_us += us;
    }
  }

  const std::map<Product, std::vector<double>>& products() const { return products_; }
  const std::map<Exchange, std::vector<double>>& exchanges() const { return exchanges_; }
  const Totals& totals() const { return totals_; }

private:
  void add_collective(const KinetoEvent& kernel, const KinetoEvent* op, int world) {
    const auto exchange = exchange_of(kernel, op, world);
    if (!exchange || !(kernel.duration_us > 0)) {
      totals_.unsized_us += kernel.duration_us;
      return;
    }
    exchanges_[*exchange].push_back(kernel.duration_us);
    totals_.collectives_us += kernel.duration_us;
  }

  std::map<Product, std::vector<double>> products_;
  std::map<Exchange, std::vector<double>> exchanges_;
  Totals totals_;
};

std::string number(double value) { return fixed(value, 3); }

MeasuredTable product_table(const std::map<Product, std::vector<double>>& products, const std::string& file) {
  MeasuredTable table{file, {"gpu", "source", "dtype", "m", "n", "k", "time_us"}, {}};
  for (const auto& [p, times] : products)
    table.rows.push_back({0,
                          {"", "trace", to_string(p.dtype), std::to_string(p.m), std::to_string(p.n),
                           std::to_string(p.k), number(quantile(times, 0.5))}});
  return table;
}

// Rows of one operation and rank count fit a line only with three sizes.
constexpr std::size_t kLeastSizes = 3;

MeasuredTable exchange_table(const std::map<Exchange, std::vector<double>>& exchanges, const std::string& file,
                             const Hardware& hardware, std::vector<std::string>& notes) {
  std::map<std::tuple<CollectiveOp, int, bool>, std::size_t> sizes;
  for (const auto& [e, times] : exchanges) ++sizes[{e.op, e.ranks, e.nccl}];
  MeasuredTable table{file, {"gpu", "source", "op", "impl", "dtype", "bytes", "ranks", "nodes", "time_us"}, {}};
  for (const auto& [e, times] : exchanges) {
    if (sizes[{e.op, e.ranks, e.nccl}] < kLeastSizes) continue;
    const int per_node = std::max(hardware.devices_per_node, 1);
    table.rows.push_back(
        {0,
         {"", "trace", to_string(e.op), e.nccl ? "nccl" : "vllm_custom_graph", to_string(e.dtype),
          std::to_string(e.bytes), std::to_string(e.ranks), std::to_string((e.ranks + per_node - 1) / per_node),
          number(*std::min_element(times.begin(), times.end()))}});
  }
  for (const auto& [what, count] : sizes)
    if (count < kLeastSizes)
      notes.push_back(std::string(to_string(std::get<0>(what))) + " over " + std::to_string(std::get<1>(what)) +
                      " ranks: " + plural(static_cast<std::int64_t>(count), "size") +
                      " only, not fitted (3 are needed)");
  return table;
}

std::string use_note(const Totals& t, const std::string& files) {
  const auto share = [&](double us) { return percent(t.all_us > 0 ? us / t.all_us : 0); };
  std::string text = files + ": " + fixed(t.all_us / 1e3, 2) + " ms of kernels; products with shapes " +
                     share(t.products_us) + ", collectives with sizes " + share(t.collectives_us);
  if (t.unsized_us > 0) text += ", collectives without sizes " + share(t.unsized_us);
  return text;
}

Error nothing(const Totals& t, const std::string& files) {
  Error error = input_error(
      t.all_us > 0 ? "no kernel of the trace can be tied to a shape or a size" : "the trace holds no kernels", files);
  error.details = {
      "products need aten::mm or aten::addmm with shapes in 16 or 8 bits, outside CUDA graphs; collectives "
      "need at least 3 sizes"};
  error.fixes = {"torch.profiler.profile(..., record_shapes=True)"};
  return error;
}

}  // namespace

Result<TraceRows> rows_of_traces(std::span<const KinetoTrace> traces, const Hardware& hardware) {
  Collector collector;
  TraceRows rows;
  for (const KinetoTrace& trace : traces) {
    collector.add(trace);
    rows.notes.insert(rows.notes.end(), trace.notes.begin(), trace.notes.end());
  }
  const std::string files =
      traces.size() == 1 ? traces.front().file : plural(static_cast<std::int64_t>(traces.size()), "trace");
  MeasuredTable products = product_table(collector.products(), files);
  MeasuredTable exchanges = exchange_table(collector.exchanges(), files, hardware, rows.notes);
  if (products.rows.empty() && exchanges.rows.empty()) return nothing(collector.totals(), files);
  rows.notes.push_back(use_note(collector.totals(), files));
  if (!products.rows.empty()) rows.tables.push_back(std::move(products));
  if (!exchanges.rows.empty()) rows.tables.push_back(std::move(exchanges));
  return rows;
}

}  // namespace tpsim::cli
