#include "sim/measured/calibrate.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "sim/fit/holdout.h"
#include "sim/kernels/attention_fit.h"
#include "sim/kernels/elementwise_fit.h"
#include "sim/kernels/gemm_fit.h"
#include "sim/measured/operator_time.h"
#include "sim/network/collectives_fit.h"
#include "sim/network/nccl_calibration.h"

namespace tpsim {
namespace {

constexpr int kFolds = 4;
// Times may beat the data sheet by this much: clocks above the nominal ones, caches.
constexpr double kFastest = 1.3;
// A median further from the data sheet's time than this is another unit.
constexpr double kUnitFactor = 150;

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

// What the data sheet says of a row, in us: no time can be below `least`; `expected` also counts memory and launches.
struct Allowed {
  double least = 0, expected = 0;
};

// What is wrong with the times of a family, by row.
Result<void> check_times(const std::string& family, const std::string& file, const std::vector<double>& us,
                         const std::vector<double>& least, const std::vector<double>& expected) {
  if (us.empty()) return input_error("no rows of " + family + " can be used", file);
  const auto [low, high] = std::minmax_element(us.begin(), us.end());
  const auto [small, large] = std::minmax_element(expected.begin(), expected.end());
  if (us.size() > 2 && *low == *high && *large > 2 * *small)
    return input_error("all " + std::to_string(us.size()) + " times are " + number_text(*low) + " us", file);
  std::vector<double> ratios;
  for (std::size_t i = 0; i < us.size(); ++i)
    if (expected[i] > 0) ratios.push_back(us[i] / expected[i]);
  const double middle = quantile(ratios, 0.5);
  if (middle > kUnitFactor || middle < 1 / kUnitFactor) {
    Error error = input_error("times are " + number_text(middle) + " times what the data sheet allows (median)", file);
    error.fixes = {"time_us holds microseconds: convert milliseconds (x 1000) or nanoseconds (/ 1000), or give --hw"};
    return error;
  }
  for (std::size_t i = 0; i < us.size(); ++i) {
    if (us[i] * kFastest >= least[i]) continue;
    Error error =
        input_error("row " + std::to_string(i + 1) + " of " + family + " takes " + number_text(us[i]) + " us, " +
                        number_text(least[i] / us[i]) + " times faster than " + "the data sheet allows",
                    file);
    error.fixes = {"check the unit of time_us, and that --hw names the GPU that was measured"};
    return error;
  }
  return {};
}

// Each row predicted by a fit on the rows of other folds.
template <class Row, class Group, class Fit, class Time>
ErrorSummary held_out(const std::vector<Row>& rows, const Group& group, const Fit& fit, const Time& time) {
  std::vector<std::string> groups;
  for (const Row& row : rows) groups.push_back(group(row));
  const std::vector<int> fold = group_folds(groups, kFolds);
  std::vector<double> predicted(rows.size(), 0), measured(rows.size(), 0);
  for (int out = 0; out < kFolds; ++out) {
    std::vector<Row> seen;
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (fold[i] != out) seen.push_back(rows[i]);
    if (seen.empty()) continue;
    const auto fitted = fit(seen);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (fold[i] != out) continue;
      predicted[i] = time(rows[i], &fitted);
      measured[i] = rows[i].us;
    }
  }
  return summarise(predicted, measured);
}

template <class Row, class Known, class Time>
ErrorSummary errors_with(const std::vector<Row>& rows, const Known* known, const Time& time) {
  std::vector<double> predicted, measured;
  for (const Row& row : rows) {
    predicted.push_back(time(row, known));
    measured.push_back(row.us);
  }
  return summarise(predicted, measured);
}

template <class Row, class Time>
Result<void> check_rows(const std::string& family, const std::string& file, const std::vector<Row>& rows,
                        const Time& allowed) {
  std::vector<double> us, least, expected;
  for (const Row& row : rows) {
    const Allowed a = allowed(row);
    us.push_back(row.us);
    least.push_back(a.least);
    expected.push_back(std::max(a.least, a.expected));
  }
  return check_times(family, file, us, least, expected);
}

class Calibrator {
public:
  Calibrator(const Hardware& hardware, CalibrationFit& out)
      : hardware_(hardware), before_(calibration_of(hardware)), out_(out) {}

  Result<void> add(const MeasuredTable& table) {
    const auto family = table_family(table);
    if (!family) return input_error("the columns are those of no known kind of measurement", table.file);
    if (auto one = check_gpu(table); !one) return one;
    switch (*family) {
      case RowFamily::gemm: return gemm(table);
      case RowFamily::elementwise: return elementwise(table);
      case RowFamily::attention_prefill:
      case RowFamily::attention_decode: return attention(table);
      case RowFamily::mla: return latent(table);
      case RowFamily::collective: return collectives(table);
      case RowFamily::moe:
      case RowFamily::alltoall:
      case RowFamily::e2e: break;
    }
    return input_error(std::string("rows of ") + to_string(*family) + " are not fitted by this command", table.file);
  }

  Result<void> add(std::span<const CollectiveSweep> sweeps) {
    const auto fit = calibrate_collectives(sweeps, hardware_, network());
    if (!fit) return fit.error();
    std::size_t rows = 0;
    for (const CollectiveSweep& sweep : sweeps) rows += sweep.rows.size();
    take(*fit, rows);
    return {};
  }

private:
  Result<void> check_gpu(const MeasuredTable& table) const {
    std::set<std::string> gpus;
    const MeasuredColumn gpu(table, "gpu");
    for (const MeasuredRow& row : table.rows) gpus.insert(std::string(gpu.text(row)));
    if (gpus.size() <= 1) return {};
    Error error = input_error("rows of " + std::to_string(gpus.size()) + " GPUs: " + *gpus.begin() + ", " +
                                  *std::next(gpus.begin()) + (gpus.size() > 2 ? ", ..." : ""),
                              table.file);
    error.fixes = {"one file per GPU, each with its own --hw and -o"};
    return error;
  }

  // A kernel that moves so many bytes, in us.
  double launched(double bytes) const {
    return hardware_.kernel_floor.count() * 1e6 + bytes / (hardware_.memory_bandwidth.value * 1e-6);
  }

  CollectiveNetwork network() const {
    return network_of(hardware_, before_ && before_->collectives ? &*before_->collectives : nullptr);
  }

  void note(std::string family, std::size_t rows, const ErrorSummary& before, const ErrorSummary& after,
            std::vector<std::string> notes = {}) {
    out_.families.push_back({std::move(family), rows, before, after, std::move(notes)});
  }

  void take(const NetworkFit& fit, std::size_t rows) {
    out_.calibration.collectives = fit.calibration;
    note("collectives", rows, fit.before, fit.held_out.n > 0 ? fit.held_out : fit.after, fit.notes);
  }

  Result<void> gemm(const MeasuredTable& table) {
    const auto rows = read_gemm_rows(table);
    if (!rows) return rows.error();
    const auto* const known = before_ && before_->gemm ? &*before_->gemm : nullptr;
    const auto time = [&](const GemmRow& row, const GemmCalibration* c) {
      return gemm_time(row.shape, gemm_model(c, hardware_, gemm_dtype(row.kernel), row.kernel == "fp8_block")).us;
    };
    const auto allowed = [&](const GemmRow& row) {
      const auto& s = row.shape;
      const DType dtype = gemm_dtype(row.kernel);
      const double bytes = (s.m * s.k + s.n * s.k + s.m * s.n) * element_bits(dtype) / 8;
      return Allowed{2 * s.m * s.n * s.k / gemm_device(hardware_, dtype).flops, launched(bytes)};
    };
    if (auto ok = check_rows("gemm", table.file, *rows, allowed); !ok) return ok;
    const auto fit = [&](const std::vector<GemmRow>& seen) {
      return fit_gemm_calibration({seen, &hardware_}, {}, known);
    };
    const auto group = [](const GemmRow& row) { return number_text(row.shape.n) + "x" + number_text(row.shape.k); };
    note("gemm", rows->size(), errors_with(*rows, known, time), held_out(*rows, group, fit, time));
    out_.calibration.gemm = fit(*rows);
    return {};
  }

  Result<void> elementwise(const MeasuredTable& table) {
    const auto rows = read_elementwise_rows(table);
    if (!rows) return rows.error();
    const auto* const known = before_ && before_->elementwise ? &*before_->elementwise : nullptr;
    const auto time = [&](const ElementwiseRow& row, const ElementwiseCalibration* c) {
      return elementwise_time(row.shape, elementwise_model(c, hardware_, row.op)).us;
    };
    // Hot buffers may beat memory; no cache does by more than this.
    constexpr double cache = 5;
    const auto allowed = [&](const ElementwiseRow& row) {
      return Allowed{row.shape.bytes / (hardware_.memory_bandwidth.value * 1e-6) / cache, launched(row.shape.bytes)};
    };
    if (auto ok = check_rows("elementwise", table.file, *rows, allowed); !ok) return ok;
    const auto fit = [&](const std::vector<ElementwiseRow>& seen) {
      return fit_elementwise_calibration(seen, hardware_, known);
    };
    const auto group = [](const ElementwiseRow& row) { return number_text(row.shape.width); };
    note("elementwise", rows->size(), errors_with(*rows, known, time), held_out(*rows, group, fit, time));
    out_.calibration.elementwise = fit(*rows);
    return {};
  }

  AttentionModel model_for(const AttentionRow& row, const AttentionCalibration* c) const {
    AttentionChoice choice;
    choice.kind = row.kind;
    choice.cache = parse_dtype(row.cache).value_or(DType::bf16);
    choice.key_dim = row.shape.key_dim;
    choice.windowed = row.shape.window > 0;
    choice.kernel = row.kernel;
    return attention_model(c, hardware_, choice);
  }

  Result<void> fit_attention_rows(const std::string& family, const MeasuredTable& table,
                                  const Result<std::vector<AttentionRow>>& rows,
                                  std::optional<AttentionCalibration>& target,
                                  const std::optional<AttentionCalibration>* known_family) {
    if (!rows) return rows.error();
    const auto* const known = known_family != nullptr && *known_family ? &**known_family : nullptr;
    const auto time = [&](const AttentionRow& row, const AttentionCalibration* c) {
      return attention_time(row.shape, model_for(row, c)).us;
    };
    const auto allowed = [&](const AttentionRow& row) {
      return Allowed{attention_flops(row.shape) / gemm_device(hardware_, DType::bf16).flops,
                     launched(attention_bytes(row.shape))};
    };
    if (auto ok = check_rows(family, table.file, *rows, allowed); !ok) return ok;
    const auto fit = [&](const std::vector<AttentionRow>& seen) {
      return fit_attention_calibration(seen, hardware_, known);
    };
    const auto group = [](const AttentionRow& row) {
      return number_text(row.shape.heads) + "/" + number_text(row.shape.kv_heads);
    };
    note(family, rows->size(), errors_with(*rows, known, time), held_out(*rows, group, fit, time));
    AttentionCalibration fitted = fit(*rows);
    if (!target) target.emplace();
    // Prefill and decode may come as two files.
    for (AttentionModel& model : fitted.models) target->models.push_back(std::move(model));
    return {};
  }

  Result<void> attention(const MeasuredTable& table) {
    return fit_attention_rows("attention", table, read_attention_rows(table), out_.calibration.attention,
                              before_ ? &before_->attention : nullptr);
  }
  Result<void> latent(const MeasuredTable& table) {
    return fit_attention_rows("mla", table, read_mla_rows(table), out_.calibration.mla,
                              before_ ? &before_->mla : nullptr);
  }

  Result<void> collectives(const MeasuredTable& table) {
    const auto rows = read_collectives(table);
    if (!rows) return rows.error();
    const auto fit = calibrate_collectives(std::span<const MeasuredCollective>(*rows), hardware_, network());
    if (!fit) return fit.error();
    take(*fit, rows->size());
    return {};
  }

  const Hardware& hardware_;
  std::shared_ptr<const Calibration> before_;
  CalibrationFit& out_;
};

}  // namespace

Result<CalibrationFit> calibrate(std::span<const MeasuredTable> tables, std::span<const CollectiveSweep> sweeps,
                                 const Hardware& hardware) {
  CalibrationFit fit;
  Calibrator calibrator(hardware, fit);
  for (const MeasuredTable& table : tables)
    if (auto added = calibrator.add(table); !added) return added.error();
  if (!sweeps.empty())
    if (auto added = calibrator.add(sweeps); !added) return added.error();
  // Families without rows stay as they were.
  if (const auto before = calibration_of(hardware)) {
    Calibration& c = fit.calibration;
    if (!c.gemm) c.gemm = before->gemm;
    if (!c.elementwise) c.elementwise = before->elementwise;
    if (!c.attention) c.attention = before->attention;
    if (!c.mla) c.mla = before->mla;
    if (!c.moe) c.moe = before->moe;
    if (!c.collectives) c.collectives = before->collectives;
  }
  fit.calibration.name = hardware.name + "-own";
  fit.calibration.hardware = hardware.name;
  return fit;
}

}  // namespace tpsim
