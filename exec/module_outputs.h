// What modules return, kept from the unsharded run and compared in the others.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "exec/compare.h"
#include "exec/rank_run.h"

namespace tpsim::exec {

struct ModuleError {
  std::string module;
  std::optional<ErrorSize> error;  // none: the shapes differ
  double band = 0;
  bool inside = true;
};

// What the modules of the unsharded model return, in order of the calls.
template <class Real>
class Reference final : public RunObserver<Real> {
public:
  // `all`: of every module; else of layers and the model only.
  explicit Reference(bool all) : all_(all) {}
  void module_returned(const RecordedOutput& output, const std::string& module, const Tensor<Real>& value) override {
    if (all_ || output.module.empty()) returned_[module].push_back(value);
  }
  const Tensor<Real>* find(const std::string& module, std::size_t call) const {
    const auto found = returned_.find(module);
    return found == returned_.end() || call >= found->second.size() ? nullptr : &found->second[call];
  }

private:
  bool all_;
  std::map<std::string, std::vector<Tensor<Real>>> returned_;
};

// Compares what a rank's modules return with the unsharded model's.
template <class Real>
class Comparison final : public RunObserver<Real> {
public:
  Comparison(const Reference<Real>& reference, int rank, double epsilon, std::int64_t reduction)
      : reference_(reference), rank_(rank), epsilon_(epsilon), reduction_(reduction) {}

  void module_returned(const RecordedOutput& output, const std::string& module, const Tensor<Real>& value) override {
    const std::size_t call = calls_[module]++;
    ++depth_;
    if (output.layout.content == Content::partial) return;  // nothing of the unsharded model to compare with
    const Tensor<Real>* whole = reference_.find(module, call);
    if (whole == nullptr) return;
    static const std::vector<Range> kAll;
    const bool sharded = output.layout.content == Content::sharded;
    ModuleError result;
    result.module = module;
    result.error =
        error_of(value, *whole, output.layout.dim, sharded ? output.ranges[static_cast<std::size_t>(rank_)] : kAll);
    if (result.error)
      result.band = rounding_band(epsilon_, reduction_, depth_, std::max(result.error->reference_rms, kSmall));
    result.inside = result.error && result.error->finite && result.error->max_abs <= result.band;
    errors.push_back(std::move(result));
  }

  std::vector<ModuleError> errors;

private:
  static constexpr double kSmall = 1e-6;

  const Reference<Real>& reference_;
  int rank_;
  double epsilon_;
  std::int64_t reduction_;
  std::int64_t depth_ = 0;
  std::map<std::string, std::size_t> calls_;
};

}  // namespace tpsim::exec
