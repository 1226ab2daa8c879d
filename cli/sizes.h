// TP sizes for commands that look at one size.
#pragma once

#include "cli/options.h"
#include "core/result.h"

namespace tpsim::cli {

inline constexpr int kDefaultTp = 2;

// The only size of --tp, or kDefaultTp. Errors: several sizes, "valid".
Result<int> single_tp(const Options& options);

}  // namespace tpsim::cli
