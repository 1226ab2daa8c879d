#include "sim/measured/operator_time.h"

#include <algorithm>

#include "sim/measured/e2e_model.h"

namespace tpsim {
namespace {

struct Form {
  RowFamily family;
  std::vector<std::string_view> columns;  // all of them, with others
};

const std::vector<Form>& forms() {
  static const std::vector<Form> all = {
      {RowFamily::e2e, {"framework", "metric"}},
      {RowFamily::e2e, {"model_params", "metric"}},
      {RowFamily::alltoall, {"tokens_per_rank", "ranks", "time_us"}},
      {RowFamily::moe, {"tokens", "hidden", "inter", "experts", "time_us"}},
      {RowFamily::mla, {"heads_local", "kv_len", "time_us"}},
      {RowFamily::attention_decode, {"n_q", "n_kv", "kv_len", "head_dim", "time_us"}},
      {RowFamily::collective, {"op", "bytes", "ranks", "time_us"}},
      {RowFamily::elementwise, {"op", "tokens", "width", "time_us"}},
      {RowFamily::gemm, {"m", "n", "k", "time_us"}},
  };
  return all;
}

}  // namespace

const char* to_string(RowFamily family) {
  switch (family) {
    case RowFamily::gemm: return "gemm";
    case RowFamily::attention_prefill: return "attention_prefill";
    case RowFamily::attention_decode: return "attention_decode";
    case RowFamily::mla: return "mla";
    case RowFamily::moe: return "moe";
    case RowFamily::elementwise: return "elementwise";
    case RowFamily::collective: return "collective";
    case RowFamily::alltoall: return "moe_alltoall";
    case RowFamily::e2e: return "e2e";
  }
  return "";
}

std::optional<RowFamily> table_family(const MeasuredTable& table) {
  for (const Form& form : forms())
    if (std::all_of(form.columns.begin(), form.columns.end(), [&](auto column) { return table.has(column); }))
      return form.family;
  return std::nullopt;
}

Result<const Hardware*> OperatorTimes::hardware_of(const std::string& gpu) {
  if (profile_) return static_cast<const Hardware*>(&*profile_);
  if (const auto it = hardware_.find(gpu); it != hardware_.end()) return static_cast<const Hardware*>(&it->second);
  const auto name = hardware_name_of(gpu);
  if (!name) return name.error();
  auto hardware = load_hardware(*name);
  if (!hardware) return hardware.error();
  return static_cast<const Hardware*>(&hardware_.emplace(gpu, std::move(*hardware)).first->second);
}

Result<OperatorEstimate> OperatorTimes::predict(const MeasuredTable& table, RowFamily family, const MeasuredRow& row) {
  const auto hardware = hardware_of(std::string(MeasuredColumn(table, "gpu").text(row)));
  if (!hardware) return hardware.error();
  return input_error(std::string("rows of ") + to_string(family) + " are not predicted yet");
}

}  // namespace tpsim
