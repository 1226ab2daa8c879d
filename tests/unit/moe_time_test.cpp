// Routed experts: loads, imbalance, tiles, extrapolation, JSON.
#include <cmath>

#include "core/json.h"
#include "sim/kernels/moe_fit.h"
#include "tests/catch.hpp"

namespace {

using namespace tpsim;

Hardware h100() { return *load_hardware("h100-sxm"); }
MoeModel spec() { return spec_moe_model(h100(), {DType::bf16, false, false, {}}); }

MoeShape layer(double tokens, Routing routing = Routing::balanced) {
  MoeShape shape;
  shape.tokens = tokens;
  shape.hidden = 4096;
  shape.inter = 1536;
  shape.topk = 8;
  shape.experts = shape.local_experts = 128;
  shape.routing = routing;
  return shape;
}

double us(const MoeShape& shape) { return moe_time(shape, spec()).us; }

}  // namespace

TEST_CASE("experts: loads of every routing add up to the pairs", "[sim][moe]") {
  for (Routing routing : {Routing::balanced, Routing::power_law})
    for (double tokens : {1.0, 8.0, 100.0, 5000.0}) {
      const ExpertLoads loads = expert_loads(layer(tokens, routing));
      double sum = 0;
      for (int i = 0; i < loads.groups; ++i) sum += loads.load[static_cast<std::size_t>(i)] * loads.per_group;
      CHECK(sum == Approx(8 * tokens).epsilon(0.02));
      CHECK(loads.active <= 128);
      CHECK(loads.active <= 8 * tokens * 1.0001);
      CHECK(loads.tiles(64) >= 8 * tokens / 64);
    }
}

TEST_CASE("experts: no expert gets more than all tokens", "[sim][moe]") {
  const ExpertLoads loads = expert_loads(layer(64, Routing::power_law));
  for (int i = 0; i < loads.groups; ++i) CHECK(loads.load[static_cast<std::size_t>(i)] <= 64);
}

TEST_CASE("experts: random routing leaves some experts idle", "[sim][moe]") {
  // 128 (1 - (1 - 1/128)^128) = 81
  CHECK(expert_loads(layer(16, Routing::random)).active == Approx(81).epsilon(0.02));
  CHECK(expert_loads(layer(16)).active == Approx(128));
}

TEST_CASE("experts: imbalance lies between 1 and the ranks, and skew makes it worse", "[sim][moe]") {
  CHECK(expert_imbalance(1000, 128, 8, 1, Routing::power_law) == 1);
  CHECK(expert_imbalance(1000, 128, 8, 8, Routing::balanced) == 1);
  double before = 1e9;
  for (double tokens : {16.0, 256.0, 4096.0, 65536.0}) {
    const double random = expert_imbalance(tokens, 128, 8, 8, Routing::random);
    CHECK(random >= 1);
    CHECK(random <= before);
    before = random;
    CHECK(expert_imbalance(tokens, 128, 8, 8, Routing::power_law) > random);
    CHECK(expert_imbalance(tokens, 128, 8, 8, Routing::power_law) <= 8);
  }
  // Mean of 10 draws with the collector's rule: 1.73 and 1.36.
  CHECK(expert_imbalance(16384, 256, 8, 8, Routing::power_law) == Approx(1.73).epsilon(0.12));
  CHECK(expert_imbalance(16384, 256, 8, 4, Routing::power_law) == Approx(1.36).epsilon(0.12));
  // One token of one expert: all of it on one rank.
  CHECK(expert_imbalance(1, 128, 1, 8, Routing::balanced) == 8);
  CHECK(expert_imbalance(1, 128, 1, 8, Routing::random) == 8);
}

TEST_CASE("experts: more tokens, experts or features never take less", "[sim][moe]") {
  for (Routing routing : {Routing::balanced, Routing::random}) {
    double before[3] = {0, 0, 0};
    for (double step = 1; step < 1e5; step = std::floor(step * 1.1) + 1) {
      MoeShape wide = layer(64, routing), many = layer(64, routing);
      wide.inter = 16 * step;
      many.hidden = 16 * step;
      const double now[3] = {us(layer(step, routing)), us(wide), us(many)};
      for (int i = 0; i < 3; ++i) {
        CHECK(now[i] >= before[i] * (1 - 1e-9));
        before[i] = now[i];
      }
    }
  }
}

TEST_CASE("experts: a rank with a quarter of the experts takes less, not under its weights' bytes", "[sim][moe]") {
  MoeShape part = layer(256);
  part.local_experts = 32;
  CHECK(us(part) < us(layer(256)));
  const double weights = 32.0 * 3 * 4096 * 1536 * 2;
  CHECK(us(part) > weights / (h100().memory_bandwidth.value * 1e-6));
}

TEST_CASE("experts: widths that are no multiple of 16 cost narrow loads", "[sim][moe]") {
  MoeShape odd = layer(65536), even = layer(65536);
  odd.inter = 232;
  even.inter = 240;
  CHECK(us(odd) > 1.1 * us(even));
}

TEST_CASE("experts: other types are transferred; nothing is known without rows", "[sim][moe]") {
  MoeModel own = spec();
  own.kernel = "triton";
  own.source = NumberSource::calibrated;
  const MoeCalibration calibration{{own}};
  CHECK(moe_model(&calibration, h100(), {DType::bf16, false, false, {}}) == own);
  const MoeModel fp8 = moe_model(&calibration, h100(), {DType::fp8, true, false, {}});
  CHECK(fp8.source == NumberSource::transferred);
  CHECK(fp8.device.flops == Approx(2 * own.device.flops).epsilon(0.01));
  CHECK(moe_model(nullptr, h100(), {}).source == NumberSource::spec);
}

TEST_CASE("experts: a calibration survives JSON", "[sim][moe]") {
  MoeModel model = spec();
  model.skewed = true;
  model.constants.foreign = 1.25;
  const auto parsed = parse_json(to_json(to_value(MoeCalibration{{model}})), "c.json");
  REQUIRE(parsed);
  const auto back = read_moe_calibration(*parsed);
  REQUIRE(back);
  CHECK(back->models.front().skewed);
  CHECK(back->models.front().constants.foreign == Approx(1.25));
}

TEST_CASE("experts: rows are read with their faults named", "[sim][moe][measured]") {
  const std::string header = "gpu,source,kernel,dtype,tokens,hidden,inter,topk,experts,tp,ep,dist,time_us\n";
  const auto read = [&](const std::string& line) { return read_moe_rows(*parse_measured(header + line, "moe.csv")); };
  const auto rows = read("H100-SXM,aic:vllm-0.24.0,triton,bf16,8,2688,1856,6,128,4,1,balanced,50\n");
  REQUIRE(rows);
  CHECK(rows->front().shape.inter == 464);
  CHECK(rows->front().shape.matrices == 2);
  const auto bad = read("H100-SXM,aic,triton,bf16,8,2688,1856,6,4,1,1,balanced,50\n");
  REQUIRE_FALSE(bad);
  CHECK(bad.error().message.find("topk is above the number of experts") != std::string::npos);
}

TEST_CASE("experts: narrower weights never take longer, unpacking them takes longer where products decide",
          "[sim][moe]") {
  for (double tokens : {1.0, 16.0, 256.0, 4096.0, 65536.0}) {
    MoeShape narrow = layer(tokens, Routing::random), packed = narrow;
    double before = us(narrow);
    for (double bytes : {1.0, 0.53125}) {
      narrow.weight_bytes = packed.weight_bytes = bytes;
      CHECK(us(narrow) <= before);
      before = us(narrow);
    }
    packed.unpacking = 2;
    CHECK(us(packed) >= us(narrow));
    if (tokens > 1e4) CHECK(us(packed) > 1.6 * us(narrow));
  }
}
