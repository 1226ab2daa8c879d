#include <cmath>
#include <vector>

#include "core/data.h"
#include "core/json.h"
#include "sim/kernels/gemm.h"
#include "sim/kernels/gemm_fit.h"
#include "tests/catch.hpp"

using namespace tpsim;

namespace {

Hardware toy() {
  Hardware h;
  h.memory_bandwidth = {2e12};
  h.peak[DType::bf16] = {4e14};
  h.peak[DType::fp8] = {8e14};
  h.peak[DType::fp32] = {2e13};
  h.multiprocessors = 100;
  h.l2_cache = {40'000'000};
  h.kernel_floor = Seconds(2.5e-6);
  return h;
}

double us(const GemmModel& model, double m, double n, double k) { return gemm_time({m, n, k}, model).us; }

// Products of widths 512 to 8192 as the model with `truth` would measure them.
std::vector<GemmRow> rows_of(const GemmModel& truth) {
  std::vector<GemmRow> rows;
  for (double n : {512, 1024, 1536, 2048, 4096, 8192})
    for (double k : {512, 1024, 2048, 3072, 4096, 8192})
      for (double m : {1, 8, 32, 64, 128, 256, 512, 1024, 2048, 8192}) {
        const GemmShape shape{m, n, k, 0, 6};
        rows.push_back({"TOY", "aic-toy", "bf16", shape, gemm_time(shape, truth).us, 0});
      }
  return rows;
}

}  // namespace

TEST_CASE("gemm_time: few rows are bound by the weights' bytes, many by flops", "[gemm]") {
  const GemmModel model = spec_gemm_model(toy(), DType::bf16);
  const Estimate decode = gemm_time({1, 8192, 8192}, model);
  CHECK(decode.bound == Bound::memory);
  // 134 MB at 80 % of 2 TB/s = 84 us, and 2.5 us to start.
  CHECK(decode.us == Approx(86).epsilon(0.08));
  const Estimate prefill = gemm_time({8192, 8192, 8192}, model);
  CHECK(prefill.bound == Bound::compute);
  CHECK(prefill.us > 2 * 8192.0 * 8192 * 8192 / 4e8);
  CHECK(gemm_time({1, 8, 64}, model).bound == Bound::latency);
  CHECK(gemm_time({1, 8, 64}, model).us < 4);
  CHECK(gemm_time({0, 8, 64}, model).us == 0);
}

TEST_CASE("gemm_time: a wave more than the multiprocessors hold costs a step", "[gemm]") {
  GemmModel model = spec_gemm_model(toy(), DType::bf16);
  model.constants.wave = 1;
  model.constants.tile_choice = 40;
  for (auto share :
       {&GemmConstants::tile_64, &GemmConstants::tile_128, &GemmConstants::tile_mixed, &GemmConstants::tile_192})
    model.constants.*share = 0.1;
  const double full = us(model, 256, 128 * 100, 4096), more = us(model, 256, 128 * 101, 4096);
  CHECK(more > 1.4 * full);
}

TEST_CASE("gemm_time: physics never falls with more tokens, wider or deeper products", "[gemm]") {
  for (DType dtype : {DType::bf16, DType::fp8, DType::fp32}) {
    const GemmModel model = spec_gemm_model(toy(), dtype);
    const std::vector<double> sizes{1,    2,    3,    8,    9,    63,   64,   65,    100,   127,    128,   129,
                                    200,  255,  257,  384,  500,  512,  513,  1000,  1024,  1025,   2000,  2048,
                                    3000, 4096, 5120, 7168, 8191, 8192, 9000, 16384, 51200, 128256, 262144};
    for (double a : {1.0, 16.0, 129.0, 3000.0})
      for (double b : {64.0, 1000.0, 8192.0})
        for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
          const double low = sizes[i], high = sizes[i + 1];
          CHECK(us(model, high, a, b) >= us(model, low, a, b) * (1 - 1e-9));
          CHECK(us(model, a, high, b) >= us(model, a, low, b) * (1 - 1e-9));
          CHECK(us(model, a, b, high) >= us(model, a, b, low) * (1 - 1e-9));
        }
  }
}

TEST_CASE("gemm_time: L2-hot benchmarks are faster where the weights fit, and only there", "[gemm]") {
  const GemmModel model = spec_gemm_model(toy(), DType::bf16);
  const auto ratio = [&](double width) {
    return gemm_time({1, width, width, 0, 6}, model).us / gemm_time({1, width, width}, model).us;
  };
  CHECK(ratio(1536) < 0.95);
  CHECK(ratio(16384) == Approx(1).margin(0.01));
}

TEST_CASE("gemm_time: weights stored in fewer bits take less time to read", "[gemm]") {
  const GemmModel model = spec_gemm_model(toy(), DType::bf16);
  const double whole = gemm_time({1, 8192, 8192}, model).us, quarter = gemm_time({1, 8192, 8192, 0.53}, model).us;
  CHECK(quarter < 0.5 * whole);
  GemmModel measured = model;
  measured.source = NumberSource::calibrated;
  CHECK(gemm_time({1, 8192, 8192, 0.53}, measured).source == NumberSource::transferred);
  CHECK(gemm_time({1, 8192, 8192}, measured).source == NumberSource::calibrated);
}

TEST_CASE("gemm_time: activations that arrive quantised save the quantiser", "[gemm]") {
  const GemmModel model = spec_gemm_model(toy(), DType::fp8);
  GemmShape shape{64, 4096, 4096};
  const double both = gemm_time(shape, model).us;
  shape.quantised = true;
  CHECK(both - gemm_time(shape, model).us == Approx(model.constants.quantise_start + 2).margin(0.1));
}

TEST_CASE("fit_gemm: a full table returns the constants that decide it, and the same times", "[gemm][fit]") {
  GemmModel truth = spec_gemm_model(toy(), DType::bf16);
  truth.constants.start = 3.4;
  truth.constants.memory_share = 0.71;
  truth.constants.compute_share = 0.9;
  const GemmModel fit = fit_gemm(rows_of(truth), spec_gemm_model(toy(), DType::bf16));
  CHECK(fit.source == NumberSource::calibrated);
  CHECK(fit.constants.start == Approx(3.4).epsilon(0.05));
  CHECK(fit.constants.memory_share == Approx(0.71).epsilon(0.03));
  for (double m : {1.0, 300.0, 3000.0}) CHECK(us(fit, m, 5120, 5120) == Approx(us(truth, m, 5120, 5120)).epsilon(0.05));
}

TEST_CASE("fit_gemm: six rows rescale what they show and leave the rest to the prior", "[gemm][fit]") {
  GemmModel truth = spec_gemm_model(toy(), DType::bf16);
  truth.constants.start = 4;
  truth.constants.memory_share = 0.6;
  truth.constants.compute_share *= 0.8;
  std::vector<GemmRow> rows;
  for (const GemmShape& s : {GemmShape{1, 1024, 1024}, GemmShape{1, 8192, 8192}, GemmShape{64, 8192, 8192},
                             GemmShape{1024, 4096, 4096}, GemmShape{4096, 8192, 8192}, GemmShape{8192, 8192, 1024}})
    rows.push_back({"TOY", "", "bf16", s, gemm_time(s, truth).us, 0});
  const GemmModel prior = spec_gemm_model(toy(), DType::bf16);
  const GemmModel fit = fit_gemm(rows, prior);
  CHECK(fit.constants.epilogue == prior.constants.epilogue);
  for (double m : {1.0, 32.0, 512.0, 4096.0}) {
    const double wanted = us(truth, m, 6144, 5120);
    CHECK(std::abs(std::log(us(fit, m, 6144, 5120) / wanted)) < 0.07);
    CHECK(std::abs(std::log(us(fit, m, 6144, 5120) / wanted)) < std::abs(std::log(us(prior, m, 6144, 5120) / wanted)));
  }
}

TEST_CASE("fit_gemm: six rows correct a prior that is wrong everywhere", "[gemm][fit]") {
  GemmModel truth = spec_gemm_model(toy(), DType::bf16);
  truth.constants.memory_share *= 0.5;
  truth.constants.compute_share *= 0.45;
  std::vector<GemmRow> rows;
  for (const GemmShape& s : {GemmShape{1, 8192, 8192}, GemmShape{16, 4096, 8192}, GemmShape{64, 8192, 8192},
                             GemmShape{1024, 4096, 4096}, GemmShape{4096, 8192, 8192}, GemmShape{8192, 8192, 1024}})
    rows.push_back({"TOY", "", "bf16", s, gemm_time(s, truth).us, 0});
  const GemmModel fit = fit_gemm(rows, spec_gemm_model(toy(), DType::bf16));
  for (double m : {1.0, 32.0, 512.0, 4096.0})
    CHECK(std::abs(std::log(us(fit, m, 6144, 5120) / us(truth, m, 6144, 5120))) < 0.12);
}

TEST_CASE("gemm_model: own kernel, nearest kernel, nearest device, data sheet", "[gemm]") {
  const Hardware h = toy();
  GemmCalibration calibration;
  calibration.models.push_back(fit_gemm(rows_of(spec_gemm_model(h, DType::bf16)), spec_gemm_model(h, DType::bf16)));
  CHECK(gemm_model(&calibration, h, DType::bf16).source == NumberSource::calibrated);
  const GemmModel fp16 = gemm_model(&calibration, h, DType::fp16);
  CHECK(fp16.source == NumberSource::transferred);
  CHECK(fp16.kernel == "fp16");
  Hardware slower = h;
  slower.memory_bandwidth = {1e12};
  const GemmModel moved = gemm_model(&calibration, slower, DType::bf16);
  CHECK(moved.source == NumberSource::transferred);
  CHECK(us(moved, 1, 8192, 8192) > 1.8 * us(calibration.models[0], 1, 8192, 8192));
  CHECK(gemm_time({1, 8192, 8192}, moved).band >= 0.25);
  CHECK(gemm_model(nullptr, h, DType::bf16).source == NumberSource::spec);
}

TEST_CASE("gemm calibration: JSON and back predicts the same, wrong constants are refused", "[gemm]") {
  GemmCalibration calibration;
  calibration.models.push_back(spec_gemm_model(toy(), DType::bf16));
  calibration.models.push_back(spec_gemm_model(toy(), DType::fp8));
  const Value value = to_value(calibration);
  const auto back = read_gemm_calibration(value);
  REQUIRE(back);
  REQUIRE(back->models.size() == 2);
  CHECK(us(back->models[1], 77, 1000, 3000) == Approx(us(calibration.models[1], 77, 1000, 3000)).epsilon(1e-3));

  calibration.models[0].constants.memory_share = 7;
  const auto wrong = read_gemm_calibration(to_value(calibration));
  REQUIRE_FALSE(wrong);
  CHECK(Result<GemmCalibration>(wrong).error().message ==
        "gemm.models[0].constants: \"memory_share\" is 7.0: expected a number from 0.2 to 1.0");
}

TEST_CASE("read_gemm_rows: sizes, time, spread; faults name file, line and column", "[gemm]") {
  const auto table = parse_measured(
      "gpu,source,dtype,m,n,k,time_us,lo_us,hi_us\nH100-SXM,aic-median,bf16,1,1024,2048,5.5,5,6\nX,mine,bf16,1,2,3,4,,"
      "\n",
      "g.csv");
  REQUIRE(table);
  const auto rows = read_gemm_rows(*table);
  REQUIRE(rows);
  CHECK(rows->at(0).shape.copies == 6);
  CHECK(rows->at(0).spread == Approx(std::log(1.2)));
  CHECK(rows->at(1).shape.copies == 1);
  const auto bad = parse_measured("gpu,dtype,m,n,k,time_us\nX,bf16,1,2,-3,4\n", "g.csv");
  REQUIRE(bad);
  CHECK_FALSE(read_gemm_rows(*bad));
}

TEST_CASE("shipped matrix products: sane from a router to a head, hardly faster when twice the size", "[gemm]") {
  std::size_t models = 0;
  for (const std::string& path : list_data("sim/calibration/")) {
    if (!path.ends_with("/gemm.json")) continue;
    const auto document = parse_json(*find_data(path), path);
    REQUIRE(document);
    const auto calibration = read_gemm_calibration(*find(std::get<ValueObject>(document->data), "gemm"));
    REQUIRE(calibration);
    for (const GemmModel& model : calibration->models) {
      INFO(path << " " << model.kernel);
      ++models;
      for (double m : {1.0, 16.0, 48.0, 129.0, 1024.0, 5000.0, 65536.0})
        for (double n : {8.0, 60.0, 1024.0, 5120.0, 7168.0, 128256.0, 262144.0})
          for (double k : {64.0, 1000.0, 5120.0, 28672.0}) {
            const Estimate e = gemm_time({m, n, k}, model);
            CHECK(e.us >= 2 * m * n * k / model.device.flops);
            CHECK(e.us > 0.5);
            CHECK(e.band > 0.02);
            CHECK(e.band < 1);
            CHECK(us(model, 2 * m, n, k) > 0.6 * e.us);
            CHECK(us(model, m, 2 * n, k) > 0.6 * e.us);
            CHECK(us(model, m, n, 2 * k) > 0.6 * e.us);
            CHECK(us(model, m, n * 1.001, k) == Approx(e.us).epsilon(0.35));
          }
      CHECK(gemm_time({1, 8, 64}, model).us < 16);
    }
  }
  if (models == 0) WARN("no calibrations are built in");
}
