#include "sim/kernels/shipped_fit.h"

#include <algorithm>
#include <map>

#include "sim/kernels/published.h"

namespace tpsim {
namespace {

template <class Row>
std::map<std::string, std::vector<Row>> by_gpu(const std::vector<Row>& rows) {
  std::map<std::string, std::vector<Row>> groups;
  for (const Row& row : rows) groups[row.gpu].push_back(row);
  return groups;
}

template <class Row>
Result<std::map<std::string, Hardware>> hardware_by_gpu(const std::map<std::string, std::vector<Row>>& groups,
                                                        const HardwareOf& hardware_of) {
  std::map<std::string, Hardware> hardware;
  for (const auto& [gpu, rows] : groups) {
    auto found = hardware_of(gpu);
    if (!found) return found.error();
    hardware.emplace(gpu, std::move(*found));
  }
  return hardware;
}

// Quantised products that a GPU was not measured with are those of the first sibling that was.
GemmCalibration with_kernels_of_siblings(const std::string& gpu, const std::map<std::string, GemmCalibration>& fitted,
                                         const Hardware& hardware) {
  GemmCalibration own = fitted.at(gpu);
  for (const std::string& name : kernel_siblings(gpu)) {
    const auto sibling = fitted.find(name);
    if (sibling == fitted.end()) continue;
    for (const GemmModel& model : sibling->second.models) {
      const bool known = std::any_of(own.models.begin(), own.models.end(),
                                     [&](const GemmModel& m) { return m.kernel == model.kernel; });
      if (known || !model.quantises) continue;
      own.models.push_back(transferred(model, gemm_device(hardware, DType::fp8)));
      own.models.back().origin = "as on " + name + ": " + model.origin;
    }
  }
  return own;
}

}  // namespace

Result<std::vector<ShippedFamily>> fit_shipped_gemm(const MeasuredTable& table, const HardwareOf& hardware_of) {
  const auto rows = read_gemm_rows(table);
  if (!rows) return Result<std::vector<GemmRow>>(rows).error();
  const auto groups = by_gpu(*rows);
  const auto hardware = hardware_by_gpu(groups, hardware_of);
  if (!hardware) return Result<std::map<std::string, Hardware>>(hardware).error();
  std::vector<ShippedFamily> shipped;
  std::map<std::string, GemmCalibration> fitted;
  for (const auto& [gpu, own] : groups) {
    std::vector<GemmTable> siblings;
    for (const std::string& name : kernel_siblings(gpu))
      if (const auto it = groups.find(name); it != groups.end()) siblings.push_back({it->second, &hardware->at(name)});
    const GemmTable mine{own, &hardware->at(gpu)};
    fitted[gpu] = fit_gemm_calibration(mine, siblings);
    shipped.push_back({calibration_name(gpu), "gemm", {}, fidelity_gemm(mine, siblings)});
  }
  std::size_t next = 0;
  for (const auto& [gpu, own] : fitted)
    shipped[next++].value = to_value(with_kernels_of_siblings(gpu, fitted, hardware->at(gpu)));
  return shipped;
}

Result<std::vector<ShippedFamily>> fit_shipped_elementwise(const MeasuredTable& table, const HardwareOf& hardware_of) {
  const auto rows = read_elementwise_rows(table);
  if (!rows) return Result<std::vector<ElementwiseRow>>(rows).error();
  auto groups = by_gpu(*rows);
  for (std::string_view gpu : published_gpus()) groups.try_emplace(std::string(gpu));
  auto hardware = hardware_by_gpu(groups, hardware_of);
  if (!hardware) return hardware.error();
  std::map<std::string, ElementwiseCalibration> measured;
  for (const auto& [gpu, own] : groups) measured[gpu] = fit_elementwise_calibration(own, hardware->at(gpu));
  std::vector<ShippedFamily> shipped;
  for (const auto& [gpu, own] : groups) {
    const auto donor = measured.find(elementwise_donor(gpu));
    const auto calibration =
        fit_elementwise_calibration(own, hardware->at(gpu), donor == measured.end() ? nullptr : &donor->second);
    shipped.push_back(
        {calibration_name(gpu), "elementwise", to_value(calibration), fidelity_elementwise(own, hardware->at(gpu))});
  }
  return shipped;
}

std::string calibration_text(const ShippedFamily& family) {
  std::string text = to_json(Value{ValueObject{{"schema", Value{std::string("tpsim.calibration/1")}},
                                               {"calibration", Value{family.calibration}},
                                               {family.family, family.value}}});
  for (std::string_view start : {"\"gemm\":", "\"elementwise\":", "{\"kernel\":", "{\"op\":", "\"constants\":",
                                 "\"band\":", "\"residual\":", "\"values\":"})
    for (std::size_t at = text.find(start); at != std::string::npos; at = text.find(start, at + start.size() + 1))
      text.insert(at++, "\n");
  return text + "\n";
}

}  // namespace tpsim
