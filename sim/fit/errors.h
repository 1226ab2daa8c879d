// How far predictions are from measurements, and the bands that follow from it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/value.h"

namespace tpsim {

// Of |predicted / measured - 1|, as fractions.
struct ErrorSummary {
  std::size_t n = 0;
  double median = 0, p90 = 0;
  double mape = 0;  // mean
  double bias = 0;  // median of predicted / measured - 1, with its sign
};
// Pairs that are not positive and finite are left out.
ErrorSummary summarise(std::span<const double> predicted, std::span<const double> measured);

// The value below which the share `q` lies, interpolated between ranks; 0 for none.
double quantile(std::vector<double> values, double q);

// One line of the fidelity table: a model and two baselines on rows that the model's fit did not see.
struct FidelityLine {
  std::string family, gpu, key;  // "gemm", "H100-SXM", "bf16"
  ErrorSummary model;
  ErrorSummary roofline;  // peak rates, no fixed time
  ErrorSummary derated;   // 70 % of peak compute, 80 % of bandwidth, + 3.6 us
  double covered = 0;     // share of rows within their 90 % band
};
// Rows of one line, in us; `band` is a half width in ln.
struct FidelityRows {
  std::vector<double> measured, predicted, roofline, derated;
  std::size_t covered = 0;

  void add(double measured_us, double predicted_us, double band, double roofline_us, double derated_us);
  FidelityLine line(std::string family, std::string gpu, std::string key) const;
};

// The longer of both. Rates per microsecond.
double plain_roofline_us(double flops, double bytes, double flops_per_us, double bytes_per_us);
double derated_roofline_us(double flops, double bytes, double flops_per_us, double bytes_per_us);

// Half width in ln(measured / predicted) that holds a share of rows, along one coordinate (say log2 of the predicted
// time): linear between knots, constant beyond.
struct BandCurve {
  std::vector<double> knots, widths;

  double at(double coordinate) const;  // 0 without knots
  bool operator==(const BandCurve&) const = default;
};
// `errors` = ln(measured / predicted) of rows the fit has not seen. Knots share the rows equally, each at least
// `rows_per_knot`; widths are quantiles `q` of |error| around the knot.
BandCurve fit_band(std::span<const double> coordinates, std::span<const double> errors, double q = 0.9,
                   std::size_t rows_per_knot = 150, std::size_t most_knots = 8);

// {"at": [...], "width": [...]}
Value to_value(const BandCurve& band);
Result<BandCurve> read_band(const Value& value);

}  // namespace tpsim
