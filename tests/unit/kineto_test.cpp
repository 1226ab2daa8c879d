#include "traces/kineto.h"

#include "tests/catch.hpp"

using namespace tpsim;

namespace {

constexpr const char* kTrace =
    R"json({"schemaVersion": 1, "distributedInfo": {"rank": 1, "world_size": 4},
 "deviceProperties": [{"id": 0, "name": "NVIDIA H100 80GB HBM3"}], "traceEvents": [
 {"ph": "X", "cat": "cpu_op", "name": "aten::linear", "pid": 9, "tid": 9, "ts": 0, "dur": 30,
  "args": {"External id": 1, "Input Dims": [[1, 7, 64], [32, 64], []], "Input type": ["c10::BFloat16", "", ""]}},
 {"ph": "X", "cat": "cpu_op", "name": "aten::mm", "pid": 9, "tid": 9, "ts": 5, "dur": 20,
  "args": {"External id": 2, "Input Dims": [[7, 64], [64, 32]], "Input type": ["c10::BFloat16", "c10::BFloat16"]}},
 {"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "pid": 9, "tid": 9, "ts": 10, "dur": 2,
  "args": {"correlation": 77}},
 {"ph": "X", "cat": "Kernel", "name": "nvjet_tst_64x8", "pid": 0, "tid": "stream 7", "ts": "20.5", "dur": 3.25,
  "args": {"device": 0, "stream": 7, "correlation": 77}},
 {"ph": "X", "cat": "kernel", "name": "ncclDevKernel_AllReduce_Sum_bf16_RING_LL", "pid": 0, "tid": 20, "ts": 40,
  "dur": 9, "args": {"stream": 20, "Collective name": "allreduce", "In msg nelems": 448, "Out msg nelems": 448,
  "Group size": 4, "dtype": "BFloat16"}},
 {"ph": "i", "name": "marker", "ts": 3}]})json";

}  // namespace

TEST_CASE("Kineto: rank, device, shapes, streams and collectives of a trace", "[kineto]") {
  const auto trace = parse_kineto(kTrace, "t.json");
  REQUIRE(trace);
  CHECK(trace->rank == 1);
  CHECK(trace->world_size == 4);
  CHECK(trace->devices.at(0) == "NVIDIA H100 80GB HBM3");
  REQUIRE(trace->events.size() == 5);
  const KinetoEvent& gemm = trace->events[3];
  CHECK(gemm.category == KinetoCategory::kernel);
  CHECK(gemm.start_us == 20.5);
  CHECK(gemm.stream == 7);
  const KinetoEvent& sum = trace->events[4];
  REQUIRE(sum.collective);
  CHECK((sum.collective->op == CollectiveOp::all_reduce && sum.collective->group == 4));
  CHECK((sum.collective->in_elements == 448 && sum.collective->dtype == DType::bf16));
}

TEST_CASE("Kineto: a kernel belongs to the innermost operation with shapes around its launch", "[kineto]") {
  const auto trace = parse_kineto(kTrace, "t.json");
  REQUIRE(trace);
  const auto operations = launching_operations(*trace);
  REQUIRE(operations.at(3) == 1);
  CHECK(trace->events[1].name == "aten::mm");
  CHECK(trace->events[1].shapes == std::vector<std::vector<std::int64_t>>{{7, 64}, {64, 32}});
  CHECK(operations.at(0) == -1);
}

TEST_CASE("Kineto: a list of events, a file cut off, and files that are something else", "[kineto]") {
  const std::string event = R"({"ph":"X","cat":"kernel","name":"k","ts":1,"dur":2})";
  CHECK(parse_kineto("[" + event + "]", "t.json")->events.size() == 1);
  const auto cut = parse_kineto("{\"traceEvents\":[" + event + "," + event.substr(0, 20), "t.json");
  REQUIRE(cut);
  CHECK(cut->events.size() == 1);
  CHECK(cut->notes.size() == 1);
  CHECK_FALSE(parse_kineto("{\"traceEvents\":[nonsense", "t.json"));
  CHECK_FALSE(parse_kineto("{\"a\": 1}", "t.json"));
  CHECK_FALSE(parse_kineto("", "t.json"));
  CHECK_FALSE(parse_kineto("5", "t.json"));
}

TEST_CASE("Kineto: names of kernels and collectives", "[kineto]") {
  CHECK(kernel_family("ncclDevKernel_Generic(ncclDevKernelArgsStorage<4096ul>)") == "collective");
  CHECK(kernel_family("void flash::flash_fwd_kernel<Flash_fwd_kernel_traits<128>>") == "attention");
  CHECK(kernel_family("Cijk_Alik_Bljk_BBS_BH_MT128x128x64") == "gemm");
  CHECK(kernel_family("void at::native::vectorized_elementwise_kernel<4>") == "elementwise");
  CHECK(collective_named("ncclKernel_AllReduce_RING_LL_Sum_float") == CollectiveOp::all_reduce);
  CHECK(collective_named("_reduce_scatter_base") == CollectiveOp::reduce_scatter);
  CHECK_FALSE(collective_named("ncclKernel_SendRecv_RING_SIMPLE_Sum_int8_t"));
}
