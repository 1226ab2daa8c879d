#include "cli/report_advice.h"

#include "cli/text.h"

namespace tpsim::cli {
namespace {

// Below this gain the larger size is hardly worth its devices.
constexpr double kWorthwhileGain = 1.1;

const std::optional<PhaseResult>& main_phase(const SizeResult& result) {
  return result.decode ? result.decode : result.prefill;
}

Problem problem(const char* code, Severity severity, std::string message) {
  Problem found;
  found.diagnostic.code = code;
  found.diagnostic.severity = severity;
  found.diagnostic.message = std::move(message);
  return found;
}

std::string memory_details(const MemoryFit& m, Units units) {
  return "weights " + bytes_text(m.weights, units) + ", cache " + bytes_text(m.kv_cache, units) + ", activations " +
         bytes_text(m.activations, units) + ", buffers " + bytes_text(m.communication, units) + ", runtime " +
         bytes_text(m.runtime, units);
}

void add_overfull(const Report& report, std::vector<Problem>& out) {
  // The table says which of several sizes do not fit; that none does is a problem.
  if (report.smallest_fit() != nullptr) return;
  std::vector<int> sizes;
  const SizeResult* first = nullptr;
  for (const SizeResult& result : report.results) {
    if (result.forward.verdict == Verdict::error || result.memory.fits) continue;
    if (first == nullptr) first = &result;
    sizes.push_back(result.tp);
  }
  if (first == nullptr) return;
  constexpr Units units = Units::iec;
  const MemoryFit& m = first->memory;
  Problem found =
      problem("TP110", Severity::error,
              "TP " + std::to_string(first->tp) + " needs " + bytes_text(m.total, units) + " on the heaviest rank; " +
                  report.scenario.hardware.name + " has " + bytes_text(m.capacity, units));
  found.diagnostic.details.push_back(memory_details(m, units));
  found.diagnostic.fixes = {{"a larger --tp, a smaller -b or --ctx, or a smaller --dtype", {}}};
  found.sizes = std::move(sizes);
  out.push_back(std::move(found));
}

void add_weak_gains(const Report& report, std::vector<Problem>& out) {
  const SizeResult* before = nullptr;
  for (const SizeResult& result : report.results) {
    if (!result.right() || !result.memory.fits || !main_phase(result)) continue;
    const double gain =
        before == nullptr ? kWorthwhileGain : main_phase(result)->speedup / main_phase(*before)->speedup;
    if (gain < kWorthwhileGain) {
      out.push_back(problem("TP301", Severity::note,
                            "TP " + std::to_string(before->tp) + " fits; TP " + std::to_string(result.tp) +
                                " is only " + fixed(gain, 2) + " times as fast"));
      out.back().sizes = {result.tp};
    }
    before = &result;
  }
}

void add_uncalibrated(const Report& report, std::vector<Problem>& out) {
  std::vector<int> sizes;
  for (const SizeResult& result : report.results)
    if (main_phase(result) && main_phase(result)->time.source == NumberSource::spec) sizes.push_back(result.tp);
  if (sizes.empty()) return;
  Problem found =
      problem("TP302", Severity::note,
              "times of " + report.scenario.hardware.name + " come from data-sheet figures, not measurements");
  found.diagnostic.fixes.push_back({"tpsim fit   calibrates from your own measurements", {}});
  found.sizes = std::move(sizes);
  out.push_back(std::move(found));
}

}  // namespace

std::vector<Problem> advice(const Report& report) {
  std::vector<Problem> found;
  add_overfull(report, found);
  add_weak_gains(report, found);
  add_uncalibrated(report, found);
  return found;
}

}  // namespace tpsim::cli
