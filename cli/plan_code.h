// A plan in effect as Python that people paste.
#pragma once

#include <string>
#include <vector>

#include "core/analysis.h"
#include "core/result.h"

namespace tpsim::cli {

struct PlanCode {
  std::string text;
  std::vector<std::string> left_out;  // "KEY (STRATEGY): why", of rules that the code cannot say
};

// Transformers' DistributedConfig with tp_plan and, where experts are spread out, ep_plan. Errors: a dialect without it
// (before 5.15).
Result<PlanCode> distributed_config(const Analysis& analysis);

// torch.distributed.tensor.parallel.parallelize_module with a style per rule. Rules whose strategy changes nothing in a
// forward pass are comments; rules that torch has no style for are left out.
PlanCode parallelize_module(const Analysis& analysis);

}  // namespace tpsim::cli
