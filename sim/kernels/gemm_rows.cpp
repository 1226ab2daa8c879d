#include "sim/kernels/gemm_rows.h"

#include <cmath>
#include <optional>

namespace tpsim {
namespace {

// ln(hi / lo) where a row has both.
Result<double> spread_of(const MeasuredColumn& low, const MeasuredColumn& high, const MeasuredRow& row) {
  if (low.text(row).empty() || high.text(row).empty()) return 0.0;
  const auto lo = low.positive(row), hi = high.positive(row);
  if (!lo) return lo;
  if (!hi) return hi;
  return *hi > *lo ? std::log(*hi / *lo) : 0.0;
}

}  // namespace

int benchmark_copies(std::string_view source) { return source.starts_with("aic") ? 6 : 1; }

double row_weight(const GemmRow& row) {
  constexpr double kTypical = 0.15;
  return 1 / (1 + row.spread * row.spread / (kTypical * kTypical));
}

Result<std::vector<GemmRow>> read_gemm_rows(const MeasuredTable& table) {
  if (auto ok = require_columns(table, {"gpu", "dtype", "m", "n", "k", "time_us"}); !ok) return ok.error();
  const MeasuredColumn gpu(table, "gpu"), source(table, "source"), dtype(table, "dtype");
  const MeasuredColumn m(table, "m"), n(table, "n"), k(table, "k"), time(table, "time_us");
  const MeasuredColumn low(table, "lo_us"), high(table, "hi_us");
  std::vector<GemmRow> rows;
  rows.reserve(table.rows.size());
  for (const MeasuredRow& line : table.rows) {
    const auto rows_m = m.positive(line), cols_n = n.positive(line), depth_k = k.positive(line),
               us = time.positive(line);
    for (const auto* number : {&rows_m, &cols_n, &depth_k, &us})
      if (!*number) return Result<double>(*number).error();
    const auto spread = spread_of(low, high, line);
    if (!spread) return Result<double>(spread).error();
    rows.push_back({std::string(gpu.text(line)), std::string(source.text(line)), std::string(dtype.text(line)),
                    GemmShape{*rows_m, *cols_n, *depth_k, 0, benchmark_copies(source.text(line))}, *us, *spread});
  }
  return rows;
}

}  // namespace tpsim
