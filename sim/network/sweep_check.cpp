#include <algorithm>
#include <cmath>
#include <cstdio>

#include "sim/network/nccl_calibration.h"

namespace tpsim {
namespace {

constexpr std::size_t kLeastRows = 3;
constexpr double kLeastUs = 0.5, kMostUs = 1e10;  // a kernel alone takes more; hours
// Switches that add up (NVLS) send less than a ring would; anything else cannot pass the wire's rate by more than the
// rounding of data sheets.
constexpr double kMostOfWire = 1.1, kMostOfWireAdding = 1.8;
constexpr double kFall = 0.75;       // of the time of a smaller message
constexpr double kFewDigits = 0.03;  // rates are printed with two decimals

using Rows = std::vector<SweepRow>;

Rows rows_with_bytes(const CollectiveSweep& sweep) {
  Rows rows;
  std::copy_if(sweep.rows.begin(), sweep.rows.end(), std::back_inserter(rows),
               [](const SweepRow& r) { return r.bytes > 0; });
  std::stable_sort(rows.begin(), rows.end(), [](const SweepRow& a, const SweepRow& b) { return a.bytes < b.bytes; });
  return rows;
}

std::string shown(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", x);
  return text;
}

std::string place(const CollectiveSweep& sweep, int line) {
  return line > 0 ? sweep.file + ":" + std::to_string(line) : sweep.file;
}

Error refused(const CollectiveSweep& sweep, int line, std::string message, std::string detail, std::string fix) {
  Error error = input_error(std::move(message), place(sweep, line));
  if (!detail.empty()) error.details.push_back(std::move(detail));
  if (!fix.empty()) error.fixes.push_back(std::move(fix));
  return error;
}

Result<void> check_ranks(const CollectiveSweep& sweep) {
  if (sweep.ranks >= 2) return {};
  if (sweep.ranks == 1)
    return refused(sweep, sweep.line, "the sweep ran on one rank: nothing went over a link",
                   "binaries built without MPI run alone in every process", "build nccl-tests with MPI=1, or use -g N");
  return refused(sweep, sweep.line, "the number of ranks is not known",
                 "no device list, and busbw / algbw does not tell it",
                 "keep the lines \"#  Rank  0 ...\" above the table, or rows with a rate above 0.5 GB/s");
}

Result<void> check_rows(const CollectiveSweep& sweep, const Rows& rows) {
  if (rows.size() < kLeastRows)
    return refused(sweep, sweep.line,
                   "too few rows: " + std::to_string(rows.size()) + " with bytes, at least 3 are needed", {},
                   "sweep the sizes, as in -b 1K -e 1G -f 2");
  std::int64_t wrong = sweep.out_of_bounds;
  for (const SweepRow& r : rows) wrong = std::max(wrong, r.wrong);
  if (wrong > 0)
    return refused(sweep, sweep.line, "the sweep computed wrong results: " + std::to_string(wrong) + " values",
                   "times of a broken run say nothing about the link", {});
  std::size_t twice = 0;
  for (std::size_t i = 1; i < rows.size(); ++i) twice += rows[i].bytes == rows[i - 1].bytes ? 1u : 0u;
  if (2 * twice >= rows.size())
    return refused(sweep, sweep.line, "each size appears more than once",
                   std::to_string(twice) + " of " + std::to_string(rows.size()) + " rows repeat the size before",
                   "give one table per file, or one run between header lines");
  for (const SweepRow& r : rows)
    if (!(r.us >= kLeastUs && r.us <= kMostUs))
      return refused(sweep, r.line, "no collective takes " + shown(r.us) + " us",
                     std::to_string(r.bytes) + " bytes over " + std::to_string(sweep.ranks) + " ranks",
                     "check that the column is the time, in microseconds");
  return {};
}

double median(std::vector<double> values) { return quantile(std::move(values), 0.5); }

Result<void> check_columns(const CollectiveSweep& sweep, const Rows& rows) {
  std::vector<double> ratios;
  for (const SweepRow& r : rows)
    if (r.algbw >= 0.5) ratios.push_back(static_cast<double>(r.bytes) / r.us / 1e3 / r.algbw);
  if (ratios.empty()) return {};
  const double ratio = median(ratios);
  if (std::abs(ratio - 1) < 2 * kFewDigits) return {};
  const std::string detail = "size / time is " + shown(ratio) + " times the algbw column (median of " +
                             std::to_string(ratios.size()) + " rows)";
  if (std::abs(ratio / 1000 - 1) < 0.05)
    return refused(sweep, sweep.line, "the times are milliseconds, not microseconds", detail,
                   "multiply the time column by 1000");
  if (std::abs(ratio * 1000 - 1) < 0.05)
    return refused(sweep, sweep.line, "the times are nanoseconds, not microseconds", detail,
                   "divide the time column by 1000");
  if (std::abs(ratio * 8 - 1) < 0.05)
    return refused(sweep, sweep.line, "the rates are Gbit/s, not GB/s", detail, "divide the rates by 8");
  return refused(sweep, sweep.line, "size, time and algbw contradict each other", detail,
                 "check the order of the columns");
}

Result<void> check_factor(const CollectiveSweep& sweep, const Rows& rows) {
  const double factor = bus_factor(sweep.op, sweep.ranks);
  for (const SweepRow& r : rows) {
    if (r.algbw < 2 || r.busbw <= 0) continue;
    const double printed = r.busbw / r.algbw;
    if (std::abs(printed / factor - 1) > kFewDigits)
      return refused(sweep, r.line, "rows of different rank counts or operations are mixed",
                     "busbw / algbw is " + shown(printed) + ", for " + to_string(sweep.op) + " over " +
                         std::to_string(sweep.ranks) + " ranks it is " + shown(factor),
                     "give one file or one header per run");
  }
  return {};
}

Result<void> check_rates(const CollectiveSweep& sweep, const Rows& rows, const Hardware& hardware) {
  const bool adds = sweep.op == CollectiveOp::all_reduce && sweep.ranks > 2;
  const double wire = hardware.link.per_direction.value / 1e9;
  const double most = wire * (adds ? kMostOfWireAdding : kMostOfWire);
  for (const SweepRow& r : rows) {
    const double busbw = static_cast<double>(r.bytes) * bus_factor(sweep.op, sweep.ranks) / r.us / 1e3;
    if (busbw <= most) continue;
    return refused(sweep, r.line, "faster than the link: busbw " + shown(busbw) + " GB/s",
                   hardware.name + ": " + hardware.link.name + ", " + shown(wire) + " GB/s per direction",
                   "give the hardware that was measured, or check the units");
  }
  return {};
}

Result<void> check_order(const CollectiveSweep& sweep, const Rows& rows) {
  std::size_t falls = 0;
  int line = 0;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (rows[i].us >= kFall * rows[i - 1].us) continue;
    ++falls;
    line = rows[i].line;
  }
  const bool none_grow = rows.back().bytes >= 64 * rows.front().bytes && rows.back().bytes > 64 << 20 &&
                         rows.back().us < 1.5 * rows.front().us;
  if (4 * falls < rows.size() && !none_grow) return {};
  return refused(sweep, falls > 0 ? line : sweep.line, "times fall or stay as sizes grow",
                 shown(rows.front().us) + " us for " + std::to_string(rows.front().bytes) + " bytes, " +
                     shown(rows.back().us) + " us for " + std::to_string(rows.back().bytes) + "; " +
                     std::to_string(falls) + " falls of more than a quarter",
                 "check the columns, or measure again on an idle machine with more iterations (-n 100)");
}

}  // namespace

Result<void> check_sweep(const CollectiveSweep& sweep, const Hardware& hardware) {
  const Rows rows = rows_with_bytes(sweep);
  if (auto ok = check_ranks(sweep); !ok) return ok;
  if (auto ok = check_rows(sweep, rows); !ok) return ok;
  if (auto ok = check_columns(sweep, rows); !ok) return ok;
  if (auto ok = check_factor(sweep, rows); !ok) return ok;
  if (auto ok = check_rates(sweep, rows, hardware); !ok) return ok;
  return check_order(sweep, rows);
}

}  // namespace tpsim
