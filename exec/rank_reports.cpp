#include "exec/rank_reports.h"

#include <cstddef>

namespace tpsim::exec {
namespace {

constexpr std::size_t kFields = 8;

void append(std::vector<double>& numbers, const ModuleError& module) {
  const ErrorSize error = module.error.value_or(ErrorSize{});
  numbers.insert(numbers.end(), {module.error ? 1.0 : 0.0, error.max_abs, error.max_rel, error.rms, error.reference_rms,
                                 error.finite ? 1.0 : 0.0, module.band, module.inside ? 1.0 : 0.0});
}

ModuleError module_error(const std::string& module, const double* numbers) {
  ModuleError result;
  result.module = module;
  if (numbers[0] != 0) result.error = ErrorSize{numbers[1], numbers[2], numbers[3], numbers[4], numbers[5] != 0};
  result.band = numbers[6];
  result.inside = numbers[7] != 0;
  return result;
}

}  // namespace

Result<std::vector<std::vector<ModuleError>>> gather_errors(Communicator& communicator,
                                                            const std::vector<ModuleError>& mine) {
  const auto ranks = static_cast<std::size_t>(communicator.size());
  std::vector<double> numbers;
  for (const ModuleError& module : mine) append(numbers, module);
  std::vector<double> all(numbers.size() * ranks);
  const auto of = [](std::vector<double>& values) {
    return Numbers{values.data(), static_cast<std::int64_t>(values.size()), Scalar::float64};
  };
  if (auto done = communicator.all_gather(of(numbers), of(all)); !done) return done.error();
  std::vector<std::vector<ModuleError>> by_rank(ranks);
  for (std::size_t r = 0; r < ranks; ++r)
    for (std::size_t i = 0; i < mine.size(); ++i)
      by_rank[r].push_back(module_error(mine[i].module, all.data() + (r * mine.size() + i) * kFields));
  return by_rank;
}

}  // namespace tpsim::exec
