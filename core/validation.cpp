#include "core/validation.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace tpsim {
namespace {

constexpr double kCounts = 0.01;  // share of its pass from which a row counts in the summary

std::string title(const CallGroup& calls) {
  return calls.name + " " + (calls.module.empty() ? "" : calls.module + " ") + calls.shape;
}

bool same_call(const CallGroup& a, const CallGroup& b) {
  return a.module == b.module && a.name == b.name && a.shape == b.shape && a.collective == b.collective;
}

// The first that is alike and not yet taken, bytes too if possible.
template <class Calls>
std::optional<std::size_t> find_call(const std::vector<Calls>& list, const CallGroup& wanted,
                                     const std::vector<char>& taken) {
  std::optional<std::size_t> near;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (taken[i] != 0 || !same_call(list[i].calls, wanted)) continue;
    if (list[i].calls.bytes == wanted.bytes) return i;
    if (!near) near = i;
  }
  return near;
}

ComparedCalls joined(const CallGroup& calls, Seconds predicted, double band, const Timing& measured) {
  ComparedCalls row{calls, predicted, band, measured, 0, true, measured.cv > kUnstable};
  if (measured.median.count() <= 0) return row;
  row.error = predicted / measured.median - 1;
  row.within = predicted.count() > 0 && std::abs(std::log(predicted / measured.median)) <= band;
  return row;
}

class PassJoin {
public:
  PassJoin(const PassPrediction& predicted, const PassMeasurement& measured, Validation& out)
      : predicted_(predicted), measured_(measured), out_(out) {}

  PassValidation run() {
    PassValidation pass{measured_.phase,
                        measured_.batch,
                        measured_.tokens,
                        measured_.past,
                        {},
                        measured_.other,
                        measured_.skew,
                        predicted_.other,
                        {}};
    pass.total = joined({}, predicted_.total, predicted_.band, measured_.total);
    std::vector<char> taken(predicted_.calls.size(), 0);
    for (const MeasuredCalls& row : measured_.calls) {
      const auto found = find_call(predicted_.calls, row.calls, taken);
      if (!found) {
        differ(row.calls, "executed, but not predicted");
        continue;
      }
      taken[*found] = 1;
      const PredictedCalls& expected = predicted_.calls[*found];
      check(expected.calls, row.calls);
      pass.calls.push_back(joined(row.calls, expected.each, expected.band, row.each));
    }
    for (std::size_t i = 0; i < taken.size(); ++i)
      if (taken[i] == 0) differ(predicted_.calls[i].calls, "predicted, but not executed");
    return pass;
  }

private:
  void differ(const CallGroup& calls, const std::string& how) {
    out_.differences.push_back(measured_.phase + ": " + title(calls) + ": " + how);
  }
  void check(const CallGroup& expected, const CallGroup& found) {
    if (expected.bytes != found.bytes)
      differ(found, std::to_string(found.bytes) + " bytes, predicted " + std::to_string(expected.bytes));
    if (expected.count != found.count)
      differ(found, std::to_string(found.count) + " calls, predicted " + std::to_string(expected.count));
  }

  const PassPrediction& predicted_;
  const PassMeasurement& measured_;
  Validation& out_;
};

bool same_pass(const PassPrediction& a, const PassMeasurement& b) {
  return a.phase == b.phase && a.batch == b.batch && a.tokens == b.tokens && a.past == b.past;
}

void summarise(Validation& v) {
  std::vector<double> errors;
  for (const PassValidation& pass : v.passes) {
    v.worst_total = std::max(v.worst_total, std::abs(pass.total.error));
    for (const ComparedCalls& row : pass.calls)
      if (share_of(row, pass) >= kCounts) errors.push_back(std::abs(row.error));
  }
  if (errors.empty()) return;
  std::sort(errors.begin(), errors.end());
  const std::size_t middle = errors.size() / 2;
  v.median_error = errors.size() % 2 == 1 ? errors[middle] : (errors[middle - 1] + errors[middle]) / 2;
  v.worst_error = errors.back();
}

}  // namespace

double share_of(const ComparedCalls& row, const PassValidation& pass) {
  const double total = pass.total.measured.median.count();
  return total > 0 ? row.measured.median.count() * static_cast<double>(row.calls.count) / total : 0;
}

Validation compare(const std::vector<PassPrediction>& predicted, const Measurement& measured) {
  Validation result;
  for (const PassMeasurement& pass : measured.passes) {
    const auto expected =
        std::find_if(predicted.begin(), predicted.end(), [&](const PassPrediction& p) { return same_pass(p, pass); });
    if (expected == predicted.end())
      result.differences.push_back(pass.phase + ": executed, but not predicted");
    else
      result.passes.push_back(PassJoin(*expected, pass, result).run());
  }
  summarise(result);
  return result;
}

}  // namespace tpsim
