// Rows that time one operator: what it should have taken. Such rows run in loops over the same buffers, so operands
// that fit lie in the L2 cache.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "sim/estimate.h"
#include "sim/hardware.h"
#include "sim/measured/table.h"

namespace tpsim {

enum class RowFamily { gemm, attention_prefill, attention_decode, mla, moe, elementwise, collective, alltoall, e2e };
const char* to_string(RowFamily family);

// What a table holds, by its columns; none for columns of no known form.
std::optional<RowFamily> table_family(const MeasuredTable& table);

struct OperatorEstimate {
  std::string key;  // what tells rows of one GPU apart: "bf16", "fa3 bf16", "all_reduce nccl"
  Estimate estimate;
};

class OperatorTimes {
public:
  // Errors say why there is no prediction.
  Result<OperatorEstimate> predict(const MeasuredTable& table, RowFamily family, const MeasuredRow& row);
  void use_profile(const Hardware& profile) { profile_ = profile; }

private:
  Result<const Hardware*> hardware_of(const std::string& gpu);
  std::map<std::string, Hardware> hardware_;
  std::optional<Hardware> profile_;
};

}  // namespace tpsim
