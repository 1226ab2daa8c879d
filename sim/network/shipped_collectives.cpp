#include "sim/network/shipped_collectives.h"

#include <map>

#include "sim/kernels/published.h"
#include "sim/network/expert_exchange.h"

namespace tpsim {

Result<std::vector<ShippedFamily>> fit_shipped_collectives(const MeasuredTable& collectives,
                                                           const MeasuredTable& exchanges,
                                                           const HardwareOf& hardware_of) {
  const auto rows = read_collectives(collectives);
  if (!rows) return rows.error();
  const auto exchange_rows = read_exchanges(exchanges);
  if (!exchange_rows) return exchange_rows.error();
  std::map<std::string, std::vector<MeasuredExchange>> exchange_by_gpu;
  for (const MeasuredExchange& r : *exchange_rows) exchange_by_gpu[r.gpu].push_back(r);
  std::map<std::string, std::vector<MeasuredCollective>> by_gpu;
  for (const MeasuredCollective& r : *rows) by_gpu[r.gpu].push_back(r);
  auto sets = fit_collective_sets(*rows);
  std::vector<ShippedFamily> shipped;
  for (auto& [gpu, calibration] : sets) {
    const auto hardware = hardware_of(gpu);
    if (!hardware) return hardware.error();
    std::vector<FidelityLine> fidelity =
        fidelity_collectives(by_gpu[gpu], sisters_of(*rows, gpu), *hardware, calibration);
    if (const auto it = exchange_by_gpu.find(gpu); it != exchange_by_gpu.end()) {
      calibration.exchange = fit_exchange(it->second);
      const auto lines = fidelity_exchange(it->second, hardware->link.per_direction.value * 1e-6);
      fidelity.insert(fidelity.end(), lines.begin(), lines.end());
    }
    shipped.push_back({calibration_name(gpu), "collectives", to_value(calibration), std::move(fidelity)});
  }
  return shipped;
}

}  // namespace tpsim
