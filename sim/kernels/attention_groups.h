// What the sources of the attention fit share.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "sim/kernels/attention_fit.h"

namespace tpsim {

GridOptions attention_grid_options();
AttentionModel refit_attention(std::span<const AttentionRow> rows, const AttentionModel& prior, int iterations);

// Rows that one model stands for: one kernel, cache type, head size, windowed or not.
std::vector<std::vector<AttentionRow>> attention_groups(std::span<const AttentionRow> rows);
// "fa3 bf16 d64 window", of a group's rows.
std::string attention_key(const AttentionRow& row);

struct HeldAttention {
  std::size_t row = 0;
  double us = 0;  // predicted by a fit that has not seen the row's group
};
struct AttentionFit {
  AttentionModel model;
  std::vector<HeldAttention> heads;   // whole head counts left out
  std::vector<HeldAttention> levels;  // whole batches, then whole contexts left out
};
AttentionFit fit_and_hold_out(std::span<const AttentionRow> rows, const AttentionModel& prior);

}  // namespace tpsim
