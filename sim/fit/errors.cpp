#include "sim/fit/errors.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

namespace tpsim {

double quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double place = std::clamp(q, 0.0, 1.0) * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(place);
  const std::size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (place - static_cast<double>(low)) * (values[high] - values[low]);
}

ErrorSummary summarise(std::span<const double> predicted, std::span<const double> measured) {
  std::vector<double> signed_errors, errors;
  for (std::size_t i = 0; i < std::min(predicted.size(), measured.size()); ++i) {
    const double error = predicted[i] / measured[i] - 1;
    if (!(predicted[i] > 0) || !(measured[i] > 0) || !std::isfinite(error)) continue;
    signed_errors.push_back(error);
    errors.push_back(std::abs(error));
  }
  ErrorSummary s;
  s.n = errors.size();
  if (s.n == 0) return s;
  s.mape = std::accumulate(errors.begin(), errors.end(), 0.0) / static_cast<double>(s.n);
  s.median = quantile(errors, 0.5);
  s.p90 = quantile(errors, 0.9);
  s.bias = quantile(signed_errors, 0.5);
  return s;
}

void FidelityRows::add(double measured_us, double predicted_us, double band, double roofline_us, double derated_us) {
  measured.push_back(measured_us);
  predicted.push_back(predicted_us);
  roofline.push_back(roofline_us);
  derated.push_back(derated_us);
  covered += std::abs(std::log(measured_us / predicted_us)) <= band ? 1u : 0u;
}

FidelityLine FidelityRows::line(std::string family, std::string gpu, std::string key) const {
  const double n = static_cast<double>(std::max<std::size_t>(measured.size(), 1));
  return {std::move(family),
          std::move(gpu),
          std::move(key),
          summarise(predicted, measured),
          summarise(roofline, measured),
          summarise(derated, measured),
          static_cast<double>(covered) / n};
}

double plain_roofline_us(double flops, double bytes, double flops_per_us, double bytes_per_us) {
  return std::max(flops / flops_per_us, bytes / bytes_per_us);
}

double derated_roofline_us(double flops, double bytes, double flops_per_us, double bytes_per_us) {
  return 3.6 + plain_roofline_us(flops, bytes, 0.7 * flops_per_us, 0.8 * bytes_per_us);
}

double BandCurve::at(double coordinate) const {
  if (knots.empty()) return 0;
  if (coordinate <= knots.front()) return widths.front();
  if (coordinate >= knots.back()) return widths.back();
  const auto high = static_cast<std::size_t>(std::upper_bound(knots.begin(), knots.end(), coordinate) - knots.begin());
  const double upper = (coordinate - knots[high - 1]) / (knots[high] - knots[high - 1]);
  return widths[high - 1] + upper * (widths[high] - widths[high - 1]);
}

BandCurve fit_band(std::span<const double> coordinates, std::span<const double> errors, double q,
                   std::size_t rows_per_knot, std::size_t most_knots) {
  BandCurve band;
  const std::size_t n = std::min(coordinates.size(), errors.size());
  if (n == 0) return band;
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return coordinates[a] < coordinates[b]; });
  const std::size_t parts = std::clamp<std::size_t>(n / std::max<std::size_t>(rows_per_knot, 1), 1, most_knots);
  for (std::size_t part = 0; part < parts; ++part) {
    std::vector<double> sizes, places;
    for (std::size_t i = n * part / parts; i < n * (part + 1) / parts; ++i) {
      sizes.push_back(std::abs(errors[order[i]]));
      places.push_back(coordinates[order[i]]);
    }
    const double place = quantile(std::move(places), 0.5);
    if (!band.knots.empty() && place <= band.knots.back()) continue;
    band.knots.push_back(place);
    band.widths.push_back(quantile(std::move(sizes), q));
  }
  return band;
}

namespace {

Value rounded_list(const std::vector<double>& values) {
  ValueList list;
  for (double v : values) list.push_back(Value{std::round(v * 1e4) / 1e4});
  return Value{std::move(list)};
}

std::optional<std::vector<double>> numbers_in(const Value* value) {
  const auto* list = value == nullptr ? nullptr : std::get_if<ValueList>(&value->data);
  if (list == nullptr) return std::nullopt;
  std::vector<double> numbers;
  for (const Value& entry : *list) {
    const auto* i = std::get_if<std::int64_t>(&entry.data);
    const auto* d = std::get_if<double>(&entry.data);
    if (i == nullptr && d == nullptr) return std::nullopt;
    numbers.push_back(i != nullptr ? static_cast<double>(*i) : *d);
  }
  return numbers;
}

}  // namespace

Value to_value(const BandCurve& band) {
  return Value{ValueObject{{"at", rounded_list(band.knots)}, {"width", rounded_list(band.widths)}}};
}

Result<BandCurve> read_band(const Value& value) {
  const auto* object = std::get_if<ValueObject>(&value.data);
  const auto knots = object == nullptr ? std::nullopt : numbers_in(find(*object, "at"));
  const auto widths = object == nullptr ? std::nullopt : numbers_in(find(*object, "width"));
  const auto finite = [](double x) { return std::isfinite(x); };
  const auto positive = [](double x) { return std::isfinite(x) && x >= 0; };
  const bool fits = knots && widths && knots->size() == widths->size() &&
                    std::all_of(knots->begin(), knots->end(), finite) &&
                    std::adjacent_find(knots->begin(), knots->end(), std::greater_equal<>()) == knots->end() &&
                    std::all_of(widths->begin(), widths->end(), positive);
  if (!fits) return input_error("a band is {\"at\": [rising numbers], \"width\": [as many numbers, 0 or more]}");
  return BandCurve{*knots, *widths};
}

}  // namespace tpsim
