#include "sim/calibration.h"

#include "sim/kernel_time.h"
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
