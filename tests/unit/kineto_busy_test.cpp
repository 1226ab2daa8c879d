#include "traces/kineto_busy.h"

#include "tests/catch.hpp"

using namespace tpsim;

namespace {

std::string event(const char* category, const std::string& name, int begin, int length, int thread = 7) {
  return R"({"ph":"X","cat":")" + std::string(category) + R"(","name":")" + name + R"(","pid":0,"tid":)" +
         std::to_string(thread) + R"(,"ts":)" + std::to_string(begin) + R"(,"dur":)" + std::to_string(length) + "}";
}

KinetoTrace trace_of(const std::vector<std::string>& events) {
  std::string text = R"({"traceEvents":[)";
  for (std::size_t i = 0; i < events.size(); ++i) text += (i == 0 ? "" : ",") + events[i];
  auto trace = parse_kineto(text + "]}", "t.json");
  REQUIRE(trace);
  return *trace;
}

}  // namespace

TEST_CASE("kineto: communication is exposed where no kernel computes", "[kineto]") {
  const DeviceBusy busy =
      device_busy(trace_of({event("kernel", "gemm", 0, 10), event("kernel", "gemm2", 5, 10),
                            event("kernel", "ncclDevKernel_AllReduce", 12, 8, 9), event("kernel", "gemm3", 30, 10)}));
  CHECK(busy.span == 40);
  CHECK(busy.computation == 25);  // 0..15 and 30..40
  CHECK(busy.communication == 8);
  CHECK(busy.overlapped == 3);  // 12..15
  CHECK(busy.exposed() == 5);
  CHECK(busy.idle() == 10);
  CHECK(busy.collectives == 1);
}

TEST_CASE("kineto: without kernels the operations that call no other take the time", "[kineto]") {
  const KinetoTrace trace = trace_of(
      {event("cpu_op", "aten::linear", 0, 10), event("cpu_op", "aten::mm", 2, 6), event("cpu_op", "aten::add", 12, 3)});
  const DeviceBusy busy = device_busy(trace);
  CHECK(busy.kernels == 2);
  CHECK(busy.computation == 9);
  CHECK(!has_kernels(trace));
}

TEST_CASE("kineto: steps by annotation, layers by Python stacks", "[kineto]") {
  const KinetoTrace trace =
      trace_of({event("user_annotation", "ProfilerStep#3", 0, 10), event("user_annotation", "ProfilerStep#4", 10, 10),
                event("python_function", "nn.Module: LlamaDecoderLayer_0", 0, 2),
                event("python_function", "nn.Module: LlamaDecoderLayer_1", 2, 2),
                event("python_function", "nn.Module: LlamaDecoderLayer_1", 12, 2),
                event("python_function", "nn.Module: Linear_9", 2, 1)});
  CHECK(marked_steps(trace) == 2);
  CHECK(repeated_module(trace).name == "LlamaDecoderLayer");
  CHECK(repeated_module(trace).count == 2);
}

TEST_CASE("kineto: rank and devices are known where the end of a trace is missing", "[kineto]") {
  const std::string text =
      R"({"distributedInfo":{"rank":3,"world_size":8},"deviceProperties":[{"name":"X"}],"traceEvents":[)" +
      event("kernel", "gemm", 0, 10) + "," + event("kernel", "gemm", 10, 10);
  for (const std::size_t cut : {std::size_t{0}, std::size_t{1}, std::size_t{20}}) {
    const auto trace = parse_kineto(std::string_view(text).substr(0, text.size() - cut), "t.json");
    REQUIRE(trace);
    CHECK(trace->rank == 3);
    CHECK(trace->world_size == 8);
    CHECK(trace->devices == std::vector<std::string>{"X"});
    CHECK(trace->events.size() == (cut == 0 ? 2 : 1));
    CHECK(trace->notes.size() == 1);
  }
}
