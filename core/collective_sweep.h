// One collective timed over a range of sizes, as nccl-tests prints it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/collective.h"
#include "core/dtype.h"

namespace tpsim {

struct SweepRow {
  int line = 0;
  std::int64_t bytes = 0;
  double us = 0;     // out of place; in place where only that was run
  double busbw = 0;  // GB/s as printed, 0 = not printed
  double algbw = 0;
  std::int64_t wrong = 0;  // values that came out wrong, 0 also where nobody checked
};

struct CollectiveSweep {
  std::string file;
  int line = 0;  // of the header, or of the first row without one
  CollectiveOp op = CollectiveOp::all_reduce;
  std::optional<DType> dtype;
  int ranks = 0;                   // 0 = neither listed nor to be worked out
  int nodes = 0;                   // hosts, 0 = not listed
  std::string device;              // "NVIDIA A100-SXM4-40GB", empty = not listed
  std::string library;             // "2.29.3", empty = not listed
  std::int64_t out_of_bounds = 0;  // values that came out wrong, as the footer counts them
  std::vector<SweepRow> rows;
};

}  // namespace tpsim
