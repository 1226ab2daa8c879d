// What a recorded operation's numbers mean to its kernels, forward and backward.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/recording.h"
#include "exec/kernels/attention.h"
#include "exec/kernels/elementwise.h"
#include "exec/kernels/experts.h"
#include "exec/kernels/rope.h"

namespace tpsim::exec {

inline constexpr char kLightning[] = "lightning";

inline std::int64_t number_at(const RecordedOp& op, std::size_t i) { return i < op.ints.size() ? op.ints[i] : 0; }
inline int dim_at(const RecordedOp& op, std::size_t i) { return static_cast<int>(number_at(op, i)); }

inline Arithmetic arithmetic_of(Op op) {
  return op == Op::add   ? Arithmetic::add
         : op == Op::sub ? Arithmetic::sub
         : op == Op::mul ? Arithmetic::mul
                         : Arithmetic::div;
}

inline NormNumbers norm_numbers(const RecordedOp& op) { return {number_at(op, 0) != 0, op.number, op.offset}; }
inline Rotation rotation_of(const RecordedOp& op) { return {number_at(op, 0) != 0, number_at(op, 1) != 0}; }

// Of queries and keys with so many heads on this rank; `heads`: of the output.
inline AttentionSettings attention_settings(const RecordedOp& op, std::int64_t query_heads, std::int64_t key_heads,
                                            std::int64_t heads) {
  AttentionSettings settings;
  const bool alike = query_heads == heads && key_heads > 0 && heads % key_heads == 0;
  settings.groups = std::max<std::int64_t>(1, number_at(op, kGroups));
  if (alike && key_heads * settings.groups != 1) settings.groups = heads / key_heads;
  settings.window = number_at(op, kWindow);
  settings.chunk = number_at(op, kChunk);
  settings.alibi = number_at(op, kAlibi) != 0;
  settings.scale = op.number;
  settings.softcap = op.softcap;
  settings.causal = op.inputs.size() > 3 && op.inputs[3] >= 0;
  return settings;
}

inline ExpertLayout expert_layout(const RecordedOp& op) {
  ExpertLayout layout;
  layout.transposed = number_at(op, 0) != 0;
  layout.interleaved = number_at(op, 1) != 0;
  layout.gated = number_at(op, 2) == 0;
  layout.dense = number_at(op, 3) != 0;
  layout.activation = op.text;
  layout.limit = op.number;
  return layout;
}

}  // namespace tpsim::exec
