// Sizes at which a plan gives the unsharded model's numbers, and what ends their list. Every answer is an analysis.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/analyze.h"

namespace tpsim {

// What stops the next size: twice the largest valid one.
struct SizeLimit {
  int tp = 0;
  std::string code, message;  // of the decisive diagnostic: "8 key/value heads cannot be split over 16 ranks"
};

struct ValidSizes {
  std::vector<int> tp;
  std::vector<std::pair<int, int>> tp_ep;  // (tp, ep) with ep > 1; empty for models without experts
  std::optional<SizeLimit> limit;          // none where the next size is right, too, or nothing is known
};

// Sizes from 1 to `limit`. The pairs are those that the dialect's meshes can have: ep = tp up to 5.19, then ep a
// multiple of tp.
ValidSizes valid_sizes(const Model& model, const AnalysisRequest& request, int limit = 64);

}  // namespace tpsim
