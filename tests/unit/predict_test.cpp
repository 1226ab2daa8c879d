#include "sim/predict.h"

#include <cmath>

#include "sim/collective_time.h"
#include "sim/kernel_time.h"
#include "tests/catch.hpp"

namespace tpsim {
namespace {

// Attained: 50 TFLOP/s in products, 25 in attention, 1 TB/s of memory, 50 GB/s on the link, 10 on the network.
Hardware toy() {
  Hardware h;
  h.name = "toy";
  h.memory = {std::int64_t{10} << 30};
  h.memory_bandwidth = {2e12};
  h.peak = {{DType::fp32, {10e12}}, {DType::bf16, {100e12}}, {DType::fp8, {200e12}}};
  h.devices_per_node = 4;
  h.link = {"wire", {100e9}, Seconds(1e-6), Seconds(5e-6), Seconds(4e-6), false};
  h.network = {"cable", {10e9}, Seconds(10e-6), Seconds(5e-6), Seconds{}, false};
  h.runtime_reserve = {std::int64_t{1} << 30};
  h.communicator_reserve = {std::int64_t{512} << 20};
  h.kernel_floor = Seconds(2e-6);
  h.compute_efficiency = 0.5;
  h.attention_efficiency = 0.25;
  h.bandwidth_efficiency = 0.5;
  h.link_efficiency = 0.5;
  h.network_efficiency = 1;
  return h;
}

constexpr double kFloor = 2e-6, kGemm = 50e12, kAttention = 25e12, kMemory = 1e12;

Operation gemm(const char* module, std::int64_t m, std::int64_t n, std::int64_t k) {
  Operation op;
  op.kind = OperationKind::gemm;
  op.module = module;
  op.m = m;
  op.n = n;
  op.k = k;
  op.flops = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  op.weight_bytes = 2 * n * k;
  op.input_bytes = 2 * m * k;
  op.output_bytes = 2 * m * n;
  return op;
}

Operation small(OperationKind kind, const char* module, std::int64_t input, std::int64_t output) {
  Operation op;
  op.kind = kind;
  op.module = module;
  op.input_bytes = input;
  op.output_bytes = output;
  return op;
}

Operation attention(std::int64_t sequences, std::int64_t heads, std::int64_t kv_heads, std::int64_t d,
                    std::int64_t tokens, std::int64_t context) {
  Operation op;
  op.kind = OperationKind::attention;
  op.module = "self_attn";
  op.sequences = sequences;
  op.heads = heads;
  op.kv_heads = kv_heads;
  op.head_dim = op.value_dim = d;
  op.query_tokens = tokens;
  op.context = context;
  op.flops = 4.0 * static_cast<double>(sequences * heads * tokens * d) * static_cast<double>(context);
  op.input_bytes = 2 * sequences * tokens * (heads + 2 * kv_heads) * d;
  op.output_bytes = 2 * sequences * tokens * heads * d;
  return op;
}

Operation experts(std::int64_t rows, std::int64_t held, std::int64_t n, std::int64_t k) {
  Operation op = gemm("mlp.experts", rows, n, k);
  op.kind = OperationKind::grouped_gemm;
  op.name = "experts_down";
  op.experts = held;
  op.weight_bytes = 2 * held * n * k;
  return op;
}

Trace trace_of(std::vector<Operation> operations) {
  Trace t;
  t.operations = std::move(operations);
  return t;
}

std::vector<KernelTime> times(std::vector<Operation> operations, const Workload& w = {}) {
  return kernel_times(trace_of(std::move(operations)), w, toy(), false);
}

double time_of(const Operation& op, const Workload& w = {}) { return times({op}, w).front().time.count(); }

CollectiveEvent all_reduce(std::int64_t bytes, int group) {
  CollectiveEvent e;
  e.op = CollectiveOp::all_reduce;
  e.payload_bytes = bytes;
  e.group = group;
  return e;
}

double cost(CollectiveOp op, double bytes, int group, const Hardware& h = toy()) {
  return collective_cost(op, bytes, group, h).time.count();
}

}  // namespace

TEST_CASE("gemm: few rows stream the weights, many rows compute", "[predict]") {
  // 2 (4096^2 weights) + 8 * 4096 * 2 (in and out) elements of 2 bytes at 1 TB/s
  const double bytes = 2.0 * (4096.0 * 4096 + 2 * 8 * 4096);
  CHECK(time_of(gemm("q_proj", 8, 4096, 4096)) == Approx(kFloor + bytes / kMemory));
  CHECK(times({gemm("q_proj", 8, 4096, 4096)}).front().bound == Bound::memory);
  // 2 * 8192 * 4096^2 flops at 50 TFLOP/s
  CHECK(time_of(gemm("q_proj", 8192, 4096, 4096)) == Approx(kFloor + 2.0 * 8192 * 4096 * 4096 / kGemm));
  CHECK(times({gemm("q_proj", 8192, 4096, 4096)}).front().bound == Bound::compute);
  CHECK(times({gemm("q_proj", 1, 64, 64)}).front().bound == Bound::latency);
}

TEST_CASE("gemm: the wider of weights and activations sets the rate", "[predict]") {
  const Operation op = gemm("q_proj", 8192, 4096, 4096);
  Workload w;
  w.weights = DType::fp8;
  CHECK(time_of(op, w) == Approx(kFloor + op.flops / 50e12));
  w.activations = DType::fp8;
  CHECK(time_of(op, w) == Approx(kFloor + op.flops / 100e12));
  w.weights = DType::int4;
  w.activations = DType::bf16;
  CHECK(time_of(op, w) == Approx(kFloor + op.flops / 50e12));
  w.activations = DType::fp32;
  CHECK(time_of(op, w) == Approx(kFloor + op.flops / 5e12));
}

TEST_CASE("attention: decode reads keys and values of the context, prefill computes", "[predict]") {
  // 8 sequences, 1 kv head of 128 + 128, 4096 positions, 2 bytes; queries, new keys and values, output beside it
  const double cache = 8.0 * 4096 * 256 * 2, own = 8.0 * 128 * (8 + 2) * 2 + 8.0 * 8 * 128 * 2;
  CHECK(time_of(attention(8, 8, 1, 128, 1, 4096)) == Approx(3 * kFloor + (cache + own) / kMemory));
  Workload fp8;
  fp8.kv_cache = DType::fp8;
  CHECK(time_of(attention(8, 8, 1, 128, 1, 4096), fp8) == Approx(3 * kFloor + (cache / 2 + own) / kMemory));
  const Operation prefill = attention(1, 8, 1, 128, 4096, 4096);
  CHECK(time_of(prefill) == Approx(3 * kFloor + prefill.flops / kAttention));
}

TEST_CASE("attention: a latent cache is read as it is stored", "[predict]") {
  Trace trace = trace_of({attention(8, 128, 128, 128, 1, 4096)});
  trace.cache_bytes = 8 * 4096 * 1152;
  const double own = static_cast<double>(trace.operations[0].input_bytes + trace.operations[0].output_bytes);
  const auto t = kernel_times(trace, {}, toy(), false).front().time.count();
  const double streamed = (8.0 * 4096 * 1152 + own) / kMemory, computed = trace.operations[0].flops / kAttention;
  CHECK(t == Approx(3 * kFloor + std::max(streamed, computed)));
}

TEST_CASE("active experts: E (1 - (1 - 1/E)^rows)", "[predict]") {
  CHECK(active_experts(8, 2) == Approx(8 * (1 - 49.0 / 64)));  // (7/8)^2 = 49/64
  CHECK(active_experts(8, 0) == 0);
  CHECK(active_experts(1, 5) == 1);
  CHECK(active_experts(0, 5) == 0);
  CHECK(active_experts(256, 1) == Approx(1));
  CHECK(active_experts(256, 1e6) == Approx(256));
}

TEST_CASE("experts: only the weights of experts that tokens reach are read", "[predict]") {
  const Operation op = experts(2, 8, 1024, 512);
  const double active = 8 * (1 - 49.0 / 64);  // of 8, by 2 rows
  const double bytes = 2.0 * 1024 * 512 * active + 2.0 * 2 * 512 + 2.0 * 2 * 1024;
  CHECK(time_of(op) == Approx(5 * kFloor + bytes / kMemory));
  // Many rows: all experts, and half a tile of 16 rows of padding for each.
  const Operation full = experts(65536, 8, 1024, 512);
  CHECK(time_of(full) == Approx(5 * kFloor + full.flops * (1 + 8 * 8.0 / 65536) / kGemm));
}

TEST_CASE("kernels: products of one input share their fixed time", "[predict]") {
  const auto qkv = times({gemm("self_attn.q_proj", 8, 1024, 4096), gemm("self_attn.k_proj", 8, 128, 4096),
                          gemm("self_attn.v_proj", 8, 128, 4096), attention(8, 8, 1, 128, 1, 64),
                          gemm("self_attn.o_proj", 8, 4096, 4096)});
  const double k_bytes = 2.0 * (128 * 4096 + 8 * 4096 + 8 * 128);
  CHECK(qkv[1].time.count() == Approx(k_bytes / kMemory));
  CHECK(qkv[2].time == qkv[1].time);
  CHECK(qkv[4].time.count() == Approx(time_of(gemm("self_attn.o_proj", 8, 4096, 4096))));
}

TEST_CASE("kernels: silu * mul is one kernel that reads both and writes one", "[predict]") {
  const auto mlp =
      times({gemm("mlp.gate_proj", 8, 512, 4096), small(OperationKind::elementwise, "mlp.act_fn", 8192, 8192),
             gemm("mlp.up_proj", 8, 512, 4096), small(OperationKind::elementwise, "mlp", 16384, 8192),
             gemm("mlp.down_proj", 8, 4096, 512)});
  CHECK((mlp[1].time + mlp[3].time).count() == Approx(kFloor + 3 * 8192 / kMemory));
  CHECK(mlp[2].time.count() == Approx(mlp[0].time.count() - kFloor));
}

TEST_CASE("kernels: add + norm stores the sum, reads it once; communication separates kernels", "[predict]") {
  const Operation add = small(OperationKind::elementwise, "", 2048, 1024),
                  norm = small(OperationKind::norm, "n", 1024, 1024);
  const auto fused = times({add, norm});
  CHECK((fused[0].time + fused[1].time).count() == Approx(kFloor + 4 * 1024 / kMemory));
  Trace apart = trace_of({add, norm});
  apart.forward = {all_reduce(1024, 2)};
  apart.forward_after = {1};
  const auto two = kernel_times(apart, {}, toy(), false);
  CHECK((two[0].time + two[1].time).count() == Approx(2 * kFloor + 5 * 1024 / kMemory));
}

TEST_CASE("kernels: zero sizes are finite", "[predict]") {
  for (const Operation& op : {gemm("a", 0, 0, 0), attention(0, 0, 0, 0, 0, 0), experts(0, 0, 0, 0),
                              experts(0, 8, 16, 16), small(OperationKind::embedding, "e", 0, 0)}) {
    CHECK(std::isfinite(time_of(op)));
    CHECK(time_of(op) >= kFloor);
  }
}

TEST_CASE("kernels: time grows with rows, width, context and batch, without jumps", "[predict]") {
  double last_gemm = 0, last_attention = 0, last_experts = 0;
  for (std::int64_t m = 1; m <= 4096; ++m) {
    const double g = time_of(gemm("a", m, 4096, 4096)), a = time_of(attention(8, 8, 1, 128, 1, 16 * m)),
                 e = time_of(experts(m, 64, 1024, 1024));
    if (m > 1) {
      CHECK((g >= last_gemm && g - last_gemm < 1e-6));
      CHECK((a >= last_attention && a - last_attention < 1e-6));
      CHECK((e >= last_experts && e - last_experts < 3e-6));
    }
    last_gemm = g;
    last_attention = a;
    last_experts = e;
  }
}

TEST_CASE("all-reduce: one-shot while small, then two-shot, then the ring", "[predict]") {
  // 4 us + 3 * 1024 bytes from the peers at 0.6 * 50 GB/s
  CHECK(cost(CollectiveOp::all_reduce, 1024, 4) == Approx(4e-6 + 3 * 1024 / 30e9));
  CHECK(collective_cost(CollectiveOp::all_reduce, 1024, 4, toy()).algorithm == std::string("one-shot"));
  // 8 us + 2 * 3/4 of the bytes at 0.7 * 50 GB/s
  CHECK(cost(CollectiveOp::all_reduce, 262144, 4) == Approx(8e-6 + 1.5 * 262144 / 35e9));
  // 2 (5 us + 6 steps of 1 us) + 2 * 3/4 of the bytes at 50 GB/s + a quarter at a third of 1 TB/s
  CHECK(cost(CollectiveOp::all_reduce, 1e9, 4) == Approx(22e-6 + 1.5e9 / 50e9 + 0.25e9 * 3 / kMemory));
  CHECK(collective_cost(CollectiveOp::all_reduce, 1e9, 4, toy()).algorithm == std::string("ring"));
}

TEST_CASE("collectives: the flagged protocol starts sooner and moves half", "[predict]") {
  // 5 us + 3 steps of 1 us + 3/4 of the bytes at 25 GB/s + the own quarter at 25 GB/s
  CHECK(cost(CollectiveOp::all_gather, 4096, 4) == Approx(8e-6 + 0.75 * 4096 / 25e9 + 1024 / 25e9));
  CHECK(cost(CollectiveOp::reduce_scatter, 4096, 4) == cost(CollectiveOp::all_gather, 4096, 4));
  // all pairs at once: 1 step
  CHECK(cost(CollectiveOp::all_to_all, 4096, 4) == Approx(6e-6 + 0.75 * 4096 / 25e9 + 1024 / 25e9));
}

TEST_CASE("collectives: ranks that share one path get less each", "[predict]") {
  Hardware h = toy();
  h.link.one_shot = Seconds{};
  h.link.shared = true;
  // 4 ranks: half the rate of 2
  CHECK(cost(CollectiveOp::all_reduce, 1e9, 4, h) == Approx(22e-6 + 1.5e9 / 25e9 + 0.25e9 * 3 / kMemory));
  CHECK(cost(CollectiveOp::all_reduce, 1e9, 2, h) == Approx(14e-6 + 1e9 / 50e9 + 0.5e9 * 3 / kMemory));
}

TEST_CASE("all-reduce over nodes: reduce-scatter, all-reduce of the parts, all-gather", "[predict]") {
  // 2 nodes of 4: parts of a quarter over the network: 5 us + 2 steps of 10 us + 2 * 1/2 of the part at 10 GB/s
  const double inside = 2 * cost(CollectiveOp::all_gather, 1e9, 4);
  CHECK(cost(CollectiveOp::all_reduce, 1e9, 8) == Approx(inside + 25e-6 + 0.25e9 / 10e9));
  CHECK(collective_cost(CollectiveOp::all_reduce, 1e9, 8, toy()).algorithm == std::string("hierarchical"));
  CHECK(cost(CollectiveOp::all_reduce, 1e9, 8) > cost(CollectiveOp::all_reduce, 1e9, 4));
}

TEST_CASE("collectives: one rank needs none; no bytes take a finite time", "[predict]") {
  for (const auto op : {CollectiveOp::all_reduce, CollectiveOp::all_gather, CollectiveOp::reduce_scatter,
                        CollectiveOp::all_to_all, CollectiveOp::broadcast, CollectiveOp::send}) {
    CHECK(cost(op, 1e6, 1) == 0);
    for (const int group : {2, 4, 5, 8, 1024}) {
      CHECK(std::isfinite(cost(op, 0, group)));
      CHECK(cost(op, 0, group) > 0);
    }
  }
}

TEST_CASE("collectives: time grows with bytes, without jumps", "[predict]") {
  for (const auto op :
       {CollectiveOp::all_reduce, CollectiveOp::all_gather, CollectiveOp::all_to_all, CollectiveOp::broadcast})
    for (const int group : {2, 4, 16}) {
      double last = cost(op, 0, group);
      for (double bytes = 64; bytes < 1e10; bytes *= 1.02) {
        const double now = cost(op, bytes, group);
        CHECK(now >= last);
        CHECK(now <= last * 1.025);
        last = now;
      }
    }
}

TEST_CASE("bus factor: as nccl-tests defines busbw", "[predict]") {
  CHECK(bus_factor(CollectiveOp::all_reduce, 8) == Approx(1.75));
  CHECK(bus_factor(CollectiveOp::all_gather, 8) == Approx(0.875));
  CHECK(bus_factor(CollectiveOp::reduce_scatter, 4) == Approx(0.75));
  CHECK(bus_factor(CollectiveOp::broadcast, 8) == 1);
}

TEST_CASE("predict: a layer's trace counts once for each step that runs it", "[predict]") {
  Analysis a;
  a.parallelism.tp = 4;
  Trace layer = trace_of({small(OperationKind::norm, "norm", 1024, 1024), gemm("mlp.up", 8, 512, 512),
                          small(OperationKind::elementwise, "", 2048, 1024)});
  layer.forward = {all_reduce(1024, 4)};
  layer.forward_after = {2};
  a.traces = {layer, trace_of({small(OperationKind::norm, "norm", 1024, 1024)})};
  for (int i = 0; i < 5; ++i) a.steps.push_back({0, "layers." + std::to_string(i)});
  a.steps.push_back({1, ""});
  const Prediction p = predict(a, toy());
  REQUIRE(p.operations.size() == 4);
  REQUIRE(p.collectives.size() == 1);
  CHECK(p.operations[1].count == 5);
  CHECK(p.operations[3].count == 1);
  // The layer's addition runs in the kernel of the norm that follows.
  CHECK(p.operations[2].time.count() == Approx(3 * 1024 / kMemory));
  const Seconds one = p.operations[0].time + p.operations[1].time + p.operations[2].time;
  CHECK(p.compute.count() == Approx((one * 5 + p.operations[3].time).count()));
  CHECK(p.communication.count() == Approx(5 * cost(CollectiveOp::all_reduce, 1024, 4)));
  CHECK(p.total == p.compute + p.communication);
  CHECK(p.low.count() == Approx(0.65 * p.total.count()));
  CHECK(p.high.count() == Approx(1.35 * p.total.count()));
  CHECK(p.source == NumberSource::spec);
  const CollectiveTime& c = p.collectives.front();
  CHECK(c.algbw == Approx(1024 / c.time.count()));
  CHECK(c.busbw == Approx(1.5 * c.algbw));
}

TEST_CASE("predict: an empty analysis and one rank", "[predict]") {
  CHECK(predict(Analysis{}, toy()).total == Seconds{});
  Analysis a;
  a.traces = {trace_of({gemm("up", 8, 512, 512)})};
  a.traces.front().forward = {all_reduce(1024, 1)};
  a.traces.front().forward_after = {1};
  a.steps = {{0, ""}};
  const Prediction p = predict(a, toy());
  CHECK(p.communication == Seconds{});
  CHECK(p.collectives.front().algbw == 0);
}

TEST_CASE("memory_fit: parts of the heaviest rank, and room for the cache", "[predict]") {
  constexpr std::int64_t kGiB = std::int64_t{1} << 30;
  Analysis a;
  a.parallelism.tp = 2;
  a.workload.batch = 2;
  a.workload.tokens = 1000;
  a.memory.resize(2);
  a.memory[0].weights = 2 * kGiB;
  a.memory[1].weights = 3 * kGiB;
  a.memory[1].activations = kGiB;
  Trace layer;
  layer.cache_bytes_per_position = 4096;
  layer.cache_bytes = 2 * 1000 * 4096;
  a.traces = {layer};
  for (int i = 0; i < 10; ++i) a.steps.push_back({0, ""});
  const MemoryFit fit = memory_fit(a, kGiB, toy());
  CHECK(fit.weights == 3 * kGiB);
  CHECK(fit.runtime == kGiB + kGiB / 2);  // communicator buffers: 2 ranks
  CHECK(fit.total == 3 * kGiB + kGiB + kGiB + kGiB + kGiB / 2);
  CHECK(fit.capacity == 10 * kGiB);
  CHECK(fit.fits);
  CHECK(fit.max_kv_tokens == (10 * kGiB - 5 * kGiB - kGiB / 2) / (10 * 4096));
  CHECK_FALSE(memory_fit(a, 5 * kGiB, toy()).fits);
  a.parallelism.tp = 1;
  CHECK(memory_fit(a, kGiB, toy()).runtime == kGiB);
}

TEST_CASE("memory_fit: full windows and states do not grow; no room is no tokens", "[predict]") {
  constexpr std::int64_t kGiB = std::int64_t{1} << 30;
  Analysis a;
  a.workload.tokens = 1000;
  a.memory.resize(1);
  Trace full, window, state;
  full.cache_bytes_per_position = window.cache_bytes_per_position = 4096;
  full.cache_bytes = 1000 * 4096;
  window.cache_bytes = 100 * 4096;  // of a window of 100
  state.cache_bytes = 50'000;
  a.traces = {full, window, state};
  a.steps = {{0, ""}, {1, ""}, {2, ""}};
  CHECK(memory_fit(a, 0, toy()).max_kv_tokens == (9 * kGiB - 100 * 4096 - 50'000) / 4096);
  a.memory[0].weights = 20 * kGiB;
  CHECK(memory_fit(a, 0, toy()).max_kv_tokens == 0);
  a.steps = {{2, ""}};
  a.memory[0].weights = 0;
  CHECK(memory_fit(a, 0, toy()).max_kv_tokens == 0);
}

}  // namespace tpsim
