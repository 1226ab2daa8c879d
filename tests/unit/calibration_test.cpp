#include "sim/calibration.h"

#include "sim/kernel_time.h"
#include "sim/kernels/gemm_fit.h"
#include "sim/stack.h"
#include "tests/catch.hpp"

using namespace tpsim;

TEST_CASE("calibration: every built-in set can be read, and every profile names one", "[calibration]") {
  REQUIRE_FALSE(calibration_names().empty());
  for (const auto& name : calibration_names()) {
    const auto set = load_calibration(name);
    INFO(name << (set ? "" : ": " + set.error().where + ": " + set.error().message));
    CHECK(set);
  }
  for (const auto& name : hardware_names()) {
    const auto hardware = load_hardware(name);
    REQUIRE(hardware);
    INFO(name);
    CHECK(check_calibration(*hardware));
  }
}

TEST_CASE("calibration: written and read again it gives the same times", "[calibration]") {
  auto hardware = load_hardware("h100-sxm");
  REQUIRE(hardware);
  const auto set = load_calibration("h100-sxm");
  REQUIRE(set);
  const auto again = read_calibration(to_json(**set), "own.json");
  REQUIRE(again);
  KernelCall call;
  call.kind = KernelKind::gemm;
  call.rows = 16;
  call.n = call.k = 8192;
  const Estimate built_in = KernelTimes(*hardware).time(call);
  hardware->own_profile = std::make_shared<const Calibration>(*again);
  CHECK(KernelTimes(*hardware).time(call).us == Approx(built_in.us).epsilon(1e-3));
}

TEST_CASE("calibration: errors name the file and the member", "[calibration]") {
  const auto fails = [](const char* text) {
    const auto read = read_calibration(text, "own.json");
    REQUIRE_FALSE(read);
    return read.error().where + ": " + read.error().message;
  };
  CHECK(fails("{}") == "own.json: a calibration is a JSON object with \"schema\": \"tpsim.calibration/1\"");
  CHECK(fails(R"({"schema": "tpsim.calibration/1", "gem": {}})") ==
        "own.json: \"gem\" is not a member of a calibration");
  CHECK(load_calibration("h100").error().message == "no calibration \"h100\"; did you mean \"h100-sxm\"?");
}

TEST_CASE("calibration: a slower memory makes memory-bound kernels slower", "[calibration]") {
  KernelCall call;
  call.kind = KernelKind::gemm;
  call.rows = 8;
  call.n = call.k = 8192;
  const auto a = load_hardware("a100-sxm"), b = load_hardware("a100-sxm-40gb");
  REQUIRE(a);
  REQUIRE(b);
  const Estimate fast = KernelTimes(*a).time(call), slow = KernelTimes(*b).time(call);
  CHECK(slow.us > 1.2 * fast.us);
  CHECK(slow.source == NumberSource::transferred);
}

TEST_CASE("stacks: the entry of a version, of an unnamed version, of a text", "[stack]") {
  CHECK(find_stack("vLLM 0.12.0")->prompt_share < 1);
  CHECK(find_stack("vLLM 0.19.0")->prompt_share == 1);
  CHECK(find_stack("forward")->step_us == 0);
  CHECK(find_stack("lmdeploy TurboMind 0.1.x (persistent batch, FasterTransformer kernels)")->name == "lmdeploy");
  CHECK(find_stack("NIM 1.8.0 (TensorRT-LLM engine)")->name == "nim");
  CHECK(find_stack("vlm").error().message == "no serving stack \"vlm\"; did you mean \"vllm\"?");
}

TEST_CASE("stacks: each file is written as it was read", "[stack]") {
  const auto files = read_stack_files();
  REQUIRE(files);
  for (const StackFile& file : *files) {
    INFO(file.name);
    for (const StackEntry& entry : file.entries) CHECK_FALSE(entry.stack.origin.empty());
  }
}

TEST_CASE("calibration: products are fitted at the peak rate of their own type", "[calibration]") {
  auto hardware = load_hardware("h100-sxm");
  REQUIRE(hardware);
  std::vector<GemmRow> rows;
  const double rate = 0.7 * peak_rate(*hardware, DType::fp32).value * 1e-6;  // FLOP/us
  for (const double m : {512.0, 1024.0, 2048.0})
    for (const double k : {2048.0, 4096.0}) {
      GemmRow row;
      row.gpu = "H100-SXM";
      row.kernel = "fp32";
      row.shape = {m, 4096, k};
      row.us = 2 * m * 4096 * k / rate;
      rows.push_back(row);
    }
  const GemmCalibration fitted = fit_gemm_calibration({rows, &*hardware});
  const GemmModel model = gemm_model(&fitted, *hardware, DType::fp32, false);
  CHECK(model.source == NumberSource::calibrated);
  CHECK(gemm_time({1024, 4096, 4096}, model).us == Approx(2 * 1024.0 * 4096 * 4096 / rate).epsilon(0.2));
}
