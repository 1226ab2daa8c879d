#include <cmath>

#include "sim/kernels/elementwise_fit.h"
#include "tests/catch.hpp"

using namespace tpsim;

namespace {

Hardware toy() {
  Hardware h;
  h.memory_bandwidth = {1e12};
  h.multiprocessors = 100;
  h.l2_cache = {50'000'000};
  h.kernel_floor = Seconds(2.5e-6);
  return h;
}

ElementwiseShape shape(double rows, double width, bool hot = false) { return {rows, width, 6 * rows * width, hot}; }

std::vector<ElementwiseRow> rows_of(const ElementwiseModel& truth) {
  std::vector<ElementwiseRow> rows;
  for (double width : {1024, 2048, 4096, 8192, 16384})
    for (double count : {1, 16, 64, 256, 1024, 2048, 4096, 8192}) {
      const ElementwiseShape s = shape(count, width, true);
      rows.push_back({"TOY", "aic", truth.op, s, elementwise_time(s, truth).us, 0});
    }
  return rows;
}

}  // namespace

TEST_CASE("elementwise_time: a fixed time for few bytes, bandwidth for many", "[elementwise]") {
  const ElementwiseModel model = spec_elementwise_model(toy(), ElementwiseOp::add);
  CHECK(elementwise_time(shape(1, 1024), model).us == Approx(2).margin(0.2));
  CHECK(elementwise_time(shape(1, 1024), model).bound == Bound::latency);
  // 805 MB at 64 % of 1 TB/s.
  CHECK(elementwise_time(shape(16384, 8192), model).us == Approx(1258).epsilon(0.02));
  CHECK(elementwise_time(shape(16384, 8192), model).bound == Bound::memory);
  CHECK(elementwise_time({0, 8, 0}, model).us == 0);
}

TEST_CASE("elementwise_time: never falls with rows or width, hot or not; hot is faster where it fits",
          "[elementwise]") {
  const ElementwiseModel model = spec_elementwise_model(toy(), ElementwiseOp::rmsnorm);
  for (bool hot : {false, true})
    for (double size = 1; size < 1e6; size *= 1.3) {
      CHECK(elementwise_time(shape(size * 1.3, 512, hot), model).us >=
            elementwise_time(shape(size, 512, hot), model).us);
      CHECK(elementwise_time(shape(16, size * 1.3, hot), model).us >= elementwise_time(shape(16, size, hot), model).us);
    }
  CHECK(elementwise_time(shape(512, 4096, true), model).us < 0.8 * elementwise_time(shape(512, 4096), model).us);
}

TEST_CASE("fit_elementwise: finds what rows show", "[elementwise][fit]") {
  ElementwiseModel truth = spec_elementwise_model(toy(), ElementwiseOp::silu_mul);
  truth.constants.start = 3.3;
  truth.constants.share = 0.45;
  const ElementwiseModel fit = fit_elementwise(rows_of(truth), spec_elementwise_model(toy(), ElementwiseOp::silu_mul));
  CHECK(fit.constants.start == Approx(3.3).epsilon(0.02));
  CHECK(fit.constants.share == Approx(0.45).epsilon(0.02));
  CHECK(fit.source == NumberSource::calibrated);
}

TEST_CASE("fit_elementwise_calibration: what was not measured comes from the donor", "[elementwise][fit]") {
  ElementwiseCalibration donor;
  ElementwiseModel norm = spec_elementwise_model(toy(), ElementwiseOp::rmsnorm);
  norm.constants.start = 4;
  norm.source = NumberSource::calibrated;
  donor.models.push_back(norm);
  const auto calibration =
      fit_elementwise_calibration(rows_of(spec_elementwise_model(toy(), ElementwiseOp::add)), toy(), &donor);
  CHECK(elementwise_model(&calibration, toy(), ElementwiseOp::add).source == NumberSource::calibrated);
  const ElementwiseModel moved = elementwise_model(&calibration, toy(), ElementwiseOp::rmsnorm);
  CHECK(moved.source == NumberSource::transferred);
  CHECK(moved.constants.start == 4);
  CHECK(elementwise_model(&calibration, toy(), ElementwiseOp::gelu).source == NumberSource::transferred);
  CHECK(elementwise_model(nullptr, toy(), ElementwiseOp::gelu).source == NumberSource::spec);
}

TEST_CASE("elementwise calibration: JSON and back predicts the same", "[elementwise]") {
  ElementwiseCalibration calibration;
  calibration.models.push_back(spec_elementwise_model(toy(), ElementwiseOp::add3));
  const auto back = read_elementwise_calibration(to_value(calibration));
  REQUIRE(back);
  CHECK(elementwise_time(shape(99, 999), back->models[0]).us ==
        Approx(elementwise_time(shape(99, 999), calibration.models[0]).us).epsilon(1e-3));
  CHECK_FALSE(read_elementwise_calibration(Value{ValueObject{{"models", Value{true}}}}));
}

TEST_CASE("read_elementwise_rows: an unknown operation is refused by name", "[elementwise]") {
  const auto table = parse_measured("gpu,op,tokens,width,time_us\nX,dance,1,2,3\n", "e.csv");
  REQUIRE(table);
  const auto rows = read_elementwise_rows(*table);
  REQUIRE_FALSE(rows);
  CHECK(Result<std::vector<ElementwiseRow>>(rows).error().message.find("\"dance\"") != std::string::npos);
}
