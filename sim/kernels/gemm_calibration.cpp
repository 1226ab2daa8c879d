// All kernels of a GPU: fits, siblings, fidelity.
#include <algorithm>
#include <cmath>
#include <set>

#include "sim/kernels/gemm_rows.h"
#include "sim/kernels/published.h"

namespace tpsim {
namespace {

constexpr double kSiblingWeight = 0.1;

std::vector<GemmRow> rows_of(std::span<const GemmRow> rows, std::string_view kernel) {
  std::vector<GemmRow> chosen;
  for (const GemmRow& row : rows)
    if (row.kernel == kernel) chosen.push_back(row);
  return chosen;
}

std::set<std::string> kernels_of(std::span<const GemmRow> rows) {
  std::set<std::string> kernels;
  for (const GemmRow& row : rows) kernels.insert(row.kernel);
  return kernels;
}

GemmModel start_model(const GemmCalibration* prior, const Hardware& hardware, std::string_view kernel) {
  return gemm_model(prior, hardware, gemm_dtype(kernel), kernel == "fp8_block");
}

std::vector<GridSample> samples_of(std::span<const GemmTable> siblings, std::string_view kernel) {
  std::vector<GridSample> samples;
  const bool wide = kernel == "fp16" || kernel == "bf16";
  for (const GemmTable& sibling : siblings)
    for (const std::string& own : kernels_of(sibling.rows)) {
      if (own != kernel && !(wide && (own == "fp16" || own == "bf16"))) continue;
      const std::vector<GemmRow> rows = rows_of(sibling.rows, own);
      if (rows.size() < kSomeGemmRows) continue;
      const GemmModel model = fit_gemm(rows, start_model(nullptr, *sibling.hardware, own));
      const std::vector<GridSample> found = gemm_residuals(rows, model, kSiblingWeight);
      samples.insert(samples.end(), found.begin(), found.end());
    }
  return samples;
}

FidelityLine line_of(const std::string& key, std::span<const GemmRow> rows, const GemmFit& fit, bool beyond) {
  const GemmModel& model = fit.model;
  FidelityRows line;
  for (const HeldRow& h : fit.held) {
    if (h.beyond != beyond) continue;
    const GemmShape& s = rows[h.row].shape;
    const double flops = 2 * s.m * s.n * s.k;
    const double bytes = model.operand_bytes * (s.n * s.k + s.m * s.k) + 2 * s.m * s.n;
    line.add(rows[h.row].us, h.us, beyond ? model.far_band : model.band.at(std::log2(h.us)),
             plain_roofline_us(flops, bytes, model.device.flops, model.device.bandwidth),
             derated_roofline_us(flops, bytes, model.device.flops, model.device.bandwidth));
  }
  return line.line("gemm", rows.front().gpu, key);
}

}  // namespace

GemmCalibration fit_gemm_calibration(const GemmTable& table, std::span<const GemmTable> siblings,
                                     const GemmCalibration* prior) {
  GemmCalibration calibration;
  for (const std::string& kernel : kernels_of(table.rows)) {
    const std::vector<GemmRow> own = rows_of(table.rows, kernel);
    GemmFit fit = fit_and_hold_out(own, start_model(prior, *table.hardware, kernel), samples_of(siblings, kernel));
    fit.model.kernel = kernel;
    fit.model.origin = published_origin(own.front().source);
    calibration.models.push_back(std::move(fit.model));
  }
  return calibration;
}

std::vector<FidelityLine> fidelity_gemm(const GemmTable& table, std::span<const GemmTable> siblings) {
  std::vector<FidelityLine> lines;
  for (const std::string& kernel : kernels_of(table.rows)) {
    const std::vector<GemmRow> own = rows_of(table.rows, kernel);
    const GemmFit fit =
        fit_and_hold_out(own, start_model(nullptr, *table.hardware, kernel), samples_of(siblings, kernel));
    lines.push_back(line_of(kernel, own, fit, false));
    lines.push_back(line_of(kernel + ", beyond", own, fit, true));
  }
  return lines;
}

}  // namespace tpsim
