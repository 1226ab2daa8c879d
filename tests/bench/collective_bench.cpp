// Time of one estimate of a collective, of reading a calibration, of calibrating from a sweep. Figures are of this
// machine.
#include <chrono>
#include <cstdio>
#include <functional>

#include "core/data.h"
#include "core/json.h"
#include "sim/network/nccl_calibration.h"

namespace tpsim {
namespace {

void measure(const char* what, double budget_us, int runs, const std::function<void(int)>& work) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < runs; ++i) work(i);
  const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
  std::printf("%10.3f us  %8.0f us  %s\n", spent.count() / runs, budget_us, what);
}

CollectiveSweep sweep_of(const CollectiveNetwork& network) {
  CollectiveSweep sweep;
  sweep.ranks = 8;
  sweep.nodes = 1;
  CollectiveShape shape;
  shape.ranks = 8;
  for (int k = 10; k <= 30; ++k) {
    shape.bytes = static_cast<double>(std::int64_t{1} << k);
    sweep.rows.push_back({k, std::int64_t{1} << k, 1.2 * collective_time(shape, network).time.us, 0, 0, 0});
  }
  return sweep;
}

void bench() {
  const auto text = find_data("sim/calibration/h100-sxm/collectives.json");
  const auto hardware = load_hardware("h100-sxm");
  if (!text || !hardware) return;
  const auto read = [&] {
    const auto document = parse_json(*text, "h100-sxm");
    return *read_collective_calibration(*find(std::get<ValueObject>(document->data), "collectives"));
  };
  const CollectiveCalibration calibration = read();
  const CollectiveNetwork network = network_of(*hardware, &calibration);
  double sum = 0;
  for (const auto stack : {CollectiveStack::nccl, CollectiveStack::fastest})
    measure(to_string(stack), 1, 200000, [&](int i) {
      CollectiveShape shape;
      shape.stack = stack;
      shape.bytes = 1000 + 777.0 * i;
      shape.ranks = 2 + i % 7;
      sum += collective_time(shape, network).time.us;
    });
  measure("16 ranks on 2 hosts", 1, 200000, [&](int i) {
    CollectiveShape shape;
    shape.bytes = 1000 + 777.0 * i;
    shape.ranks = 16;
    shape.nodes = 2;
    sum += collective_time(shape, network).time.us;
  });
  measure("read a calibration", 1000, 100, [&](int) { sum += static_cast<double>(read().networks.size()); });
  const CollectiveSweep sweep = sweep_of(network);
  measure("calibrate from a sweep of 21 sizes", 100000, 20, [&](int) {
    sum += calibrate_collectives(std::span<const CollectiveSweep>(&sweep, 1), *hardware, network)->after.median;
  });
  std::printf("(%.3g)\n", sum);
}

}  // namespace
}  // namespace tpsim

int main() { tpsim::bench(); }
