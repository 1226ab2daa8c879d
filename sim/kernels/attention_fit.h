// From measured attention to constants, and how far they are from rows they have not seen.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "sim/kernels/attention.h"
#include "sim/measured/table.h"

namespace tpsim {

struct AttentionRow {
  std::string gpu, source, kernel, cache;
  AttentionKind kind = AttentionKind::prefill;
  AttentionShape shape;  // hot, as it was measured
  double us = 0;
};

// Rows of the form of attention_prefill.csv and attention_decode.csv (gpu, kernel, kv_dtype, batch, seq_q, kv_len, n_q,
// n_kv, head_dim, window, time_us).
Result<std::vector<AttentionRow>> read_attention_rows(const MeasuredTable& table);
// Rows of the form of mla.csv (gpu, phase, kv_dtype, batch, seq_q, kv_len, heads_local, time_us).
Result<std::vector<AttentionRow>> read_mla_rows(const MeasuredTable& table);

// Constants of rows of one kernel, cache type, head size and windowing, pulled to `prior`. Fewer than
// kFewAttentionRows rows rescale start, memory and compute only and keep the prior's residual.
inline constexpr std::size_t kFewAttentionRows = 40;
AttentionModel fit_attention(std::span<const AttentionRow> rows, const AttentionModel& prior);

// All models of one GPU's rows, with bands from head counts, batches and contexts left out in turn.
AttentionCalibration fit_attention_calibration(std::span<const AttentionRow> rows, const Hardware& hardware,
                                               const AttentionCalibration* prior = nullptr);

// Whole head counts, then whole batches and contexts left out in turn. `family`: "attention" or "mla".
std::vector<FidelityLine> fidelity_attention(std::span<const AttentionRow> rows, const Hardware& hardware,
                                             const std::string& family);

}  // namespace tpsim
