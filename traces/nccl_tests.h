// Output of nccl-tests and rccl-tests, in every form people paste: tables of all versions, with launcher prefixes and
// logs between the lines, several sweeps in one file, cut off; the JSON of newer versions; CSV.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/collective_sweep.h"
#include "core/result.h"

namespace tpsim {

struct NcclTestsOutput {
  std::vector<CollectiveSweep> sweeps;
  std::vector<std::string> notes;  // what was left out and why, one line each
};

// `op` of sweeps that do not say theirs comes from `file`'s name, or from the bus factor. Errors: no table at all, no
// operation, columns that contradict each other.
Result<NcclTestsOutput> parse_nccl_tests(std::string_view text, const std::string& file);

}  // namespace tpsim
