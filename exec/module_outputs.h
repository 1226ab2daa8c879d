// What modules return, kept from the unsharded run and compared in the others.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "exec/compare.h"
#include "exec/rank_run.h"
#include "exec/tensor_broadcast.h"

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
    ++depth_;
    if (all_ || output.module.empty()) returned_[module].push_back(value);
  }
  std::int64_t depth() const { return depth_; }
  const Tensor<Real>* find(const std::string& module, std::size_t call) const {
    const auto found = returned_.find(module);
    return found == returned_.end() || call >= found->second.size() ? nullptr : &found->second[call];
  }

private:
  bool all_;
  std::int64_t depth_ = 0;
  std::map<std::string, std::vector<Tensor<Real>>> returned_;
};

// Compares what a rank's modules return with the unsharded model's, which rank 0 has and shows the others one by one.
template <class Real>
class Comparison final : public RunObserver<Real> {
public:
  // `reference`: of rank 0, null on the others.
  Comparison(Communicator& communicator, const Reference<Real>* reference, double epsilon, std::int64_t reduction)
      : communicator_(communicator), reference_(reference), epsilon_(epsilon), reduction_(reduction) {}

  void module_returned(const RecordedOutput& output, const std::string& module, const Tensor<Real>& value) override {
    const std::size_t call = calls_[module]++;
    ++depth_;
    if (output.layout.content == Content::partial || failure_) return;  // partial sums have no unsharded counterpart
    const auto whole =
        broadcast_tensor<Real>(communicator_, reference_ == nullptr ? nullptr : reference_->find(module, call), 0);
    if (!whole)
      failure_ = whole.error();
    else if (*whole)
      errors.push_back(judged(module, value, **whole, output.layout.dim, ranges_of(output)));
  }

  // Against the unsharded model's whole output.
  ModuleError judged(const std::string& module, const Tensor<Real>& value, const Tensor<Real>& whole) const {
    return judged(module, value, whole, 0, {});
  }

  // The first error of a collective, if one failed.
  const std::optional<Error>& failure() const { return failure_; }

  std::vector<ModuleError> errors;

private:
  static constexpr double kSmall = 1e-6;

  std::vector<Range> ranges_of(const RecordedOutput& output) const {
    if (output.layout.content != Content::sharded) return {};
    return output.ranges[static_cast<std::size_t>(communicator_.rank())];
  }

  ModuleError judged(const std::string& module, const Tensor<Real>& value, const Tensor<Real>& whole, int dim,
                     const std::vector<Range>& ranges) const {
    ModuleError result;
    result.module = module;
    result.error = error_of(value, whole, dim, ranges);
    if (result.error)
      result.band = rounding_band(epsilon_, reduction_, depth_, std::max(result.error->reference_rms, kSmall));
    result.inside = is_within(result.error, result.band);
    return result;
  }

  Communicator& communicator_;
  const Reference<Real>* reference_;
  double epsilon_;
  std::int64_t reduction_;
  std::int64_t depth_ = 0;
  std::map<std::string, std::size_t> calls_;
  std::optional<Error> failure_;
};

}  // namespace tpsim::exec
