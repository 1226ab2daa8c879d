#include "sim/kernels/shipped_attention.h"

#include <algorithm>
#include <map>

#include "sim/kernels/attention_fit.h"
#include "sim/kernels/moe_fit.h"
#include "sim/kernels/published.h"

namespace tpsim {
namespace {

Result<std::vector<ShippedFamily>> ship(const std::vector<AttentionRow>& rows, const std::string& family,
                                        const HardwareOf& hardware_of) {
  std::map<std::string, std::vector<AttentionRow>> by_gpu;
  for (const AttentionRow& row : rows) by_gpu[row.gpu].push_back(row);
  std::vector<ShippedFamily> shipped;
  for (const auto& [gpu, own] : by_gpu) {
    const auto hardware = hardware_of(gpu);
    if (!hardware) return Result<Hardware>(hardware).error();
    shipped.push_back({calibration_name(gpu), family, to_value(fit_attention_calibration(own, *hardware)),
                       fidelity_attention(own, *hardware, family)});
  }
  return shipped;
}

}  // namespace

Result<std::vector<ShippedFamily>> fit_shipped_attention(const MeasuredTable& prefill, const MeasuredTable& decode,
                                                         const HardwareOf& hardware_of) {
  std::vector<AttentionRow> rows;
  for (const MeasuredTable* table : {&prefill, &decode}) {
    const auto read = read_attention_rows(*table);
    if (!read) return Result<std::vector<AttentionRow>>(read).error();
    rows.insert(rows.end(), read->begin(), read->end());
  }
  return ship(rows, "attention", hardware_of);
}

Result<std::vector<ShippedFamily>> fit_shipped_mla(const MeasuredTable& table, const HardwareOf& hardware_of) {
  const auto rows = read_mla_rows(table);
  if (!rows) return Result<std::vector<AttentionRow>>(rows).error();
  return ship(*rows, "mla", hardware_of);
}

namespace {

// Experts of types that a GPU was not measured with are those of the first sibling that was.
MoeCalibration with_experts_of_siblings(const std::string& gpu, const std::map<std::string, MoeCalibration>& fitted,
                                        const Hardware& hardware) {
  MoeCalibration own = fitted.at(gpu);
  for (const std::string& name : kernel_siblings(gpu)) {
    const auto sibling = fitted.find(name);
    if (sibling == fitted.end()) continue;
    const std::vector<MoeModel> known = own.models;
    for (const MoeModel& model : sibling->second.models) {
      if (std::any_of(known.begin(), known.end(), [&](const MoeModel& m) { return m.dtype == model.dtype; })) continue;
      const DType products = model.dtype == "bf16" ? DType::bf16 : DType::fp8;
      own.models.push_back(transferred(model, gemm_device(hardware, products)));
      own.models.back().origin = "as on " + name + ": " + model.origin;
    }
  }
  return own;
}

}  // namespace

Result<std::vector<ShippedFamily>> fit_shipped_moe(const MeasuredTable& table, const HardwareOf& hardware_of) {
  const auto rows = read_moe_rows(table);
  if (!rows) return Result<std::vector<MoeRow>>(rows).error();
  std::map<std::string, std::vector<MoeRow>> by_gpu;
  for (const MoeRow& row : *rows) by_gpu[row.gpu].push_back(row);
  std::vector<ShippedFamily> shipped;
  std::map<std::string, MoeCalibration> fitted;
  std::map<std::string, Hardware> sheets;
  for (const auto& [gpu, own] : by_gpu) {
    auto hardware = hardware_of(gpu);
    if (!hardware) return Result<Hardware>(hardware).error();
    fitted[gpu] = fit_moe_calibration(own, *hardware);
    shipped.push_back({calibration_name(gpu), "moe", {}, fidelity_moe(own, *hardware)});
    sheets.emplace(gpu, std::move(*hardware));
  }
  std::size_t next = 0;
  for (const auto& [gpu, sheet] : sheets)
    shipped[next++].value = to_value(with_experts_of_siblings(gpu, fitted, sheet));
  return shipped;
}

}  // namespace tpsim
