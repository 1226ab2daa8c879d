#include "sim/predict.h"

#include <cmath>

#include "sim/kernel_spec.h"
#include "sim/network/collectives.h"
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
  op.name = kind == OperationKind::elementwise ? "add" : "";
  op.module = module;
  op.input_bytes = input;
  op.output_bytes = output;
  return op;
}

Trace trace_of(std::vector<Operation> operations) {
  Trace t;
  t.operations = std::move(operations);
  return t;
}

// One pass over that trace; the workload's rows are those of the operations.
Prediction timed(Trace trace, Workload w = {}, bool norm_follows = false) {
  Analysis a;
  w.batch = w.tokens = 1;
  a.workload = w;
  a.traces = {std::move(trace)};
  a.steps = {{0, "layers.0"}};
  if (norm_follows) {
    Trace next;
    next.operations.resize(1);
    next.operations.front().kind = OperationKind::norm;
    a.traces.push_back(next);
    a.steps.push_back({1, ""});
  }
  return predict(a, toy());
}
std::vector<OperationTime> times(std::vector<Operation> operations, const Workload& w = {}) {
  return timed(trace_of(std::move(operations)), w).operations;
}

double time_of(const Operation& op, const Workload& w = {}) { return times({op}, w).front().time.count(); }

double spec_us(const KernelCall& call) { return spec_estimate(call, toy()).us; }

KernelCall attention(std::int64_t sequences, std::int64_t query, std::int64_t context, std::int64_t window = 0) {
  KernelCall call;
  call.kind = KernelKind::attention;
  call.sequences = sequences;
  call.query = query;
  call.context = context;
  call.window = window;
  call.heads = 8;
  call.kv_heads = 1;
  call.head_dim = call.value_dim = 128;
  return call;
}

KernelCall experts(std::int64_t rows, std::int64_t held, std::int64_t topk) {
  KernelCall call;
  call.kind = KernelKind::experts;
  call.rows = rows;
  call.experts = call.all_experts = held;
  call.topk = topk;
  call.n = 512;
  call.k = 1024;
  return call;
}

CollectiveEvent all_reduce(std::int64_t bytes, int group) {
  CollectiveEvent e;
  e.op = CollectiveOp::all_reduce;
  e.payload_bytes = bytes;
  e.group = group;
  return e;
}

}  // namespace

TEST_CASE("gemm: few rows stream the weights, many rows compute", "[predict]") {
  // 2 (4096^2 weights) + 8 * 4096 * 2 (in and out) elements of 2 bytes at 1 TB/s
  const double bytes = 2.0 * (4096.0 * 4096 + 2 * 8 * 4096);
  CHECK(time_of(gemm("q_proj", 8, 4096, 4096)) == Approx(kFloor + bytes / kMemory));
  CHECK(times({gemm("q_proj", 8, 4096, 4096)}).front().kernel.bound == Bound::memory);
  // 2 * 8192 * 4096^2 flops at 50 TFLOP/s
  CHECK(time_of(gemm("q_proj", 8192, 4096, 4096)) == Approx(kFloor + 2.0 * 8192 * 4096 * 4096 / kGemm));
  CHECK(times({gemm("q_proj", 8192, 4096, 4096)}).front().kernel.bound == Bound::compute);
  CHECK(times({gemm("q_proj", 1, 64, 64)}).front().kernel.bound == Bound::latency);
}

TEST_CASE("gemm: fp8 weights multiply as fp8, 4- and 8-bit integers are unpacked first", "[predict]") {
  const Operation op = gemm("q_proj", 8192, 4096, 4096);
  Workload w;
  w.weights = DType::fp8;
  CHECK(time_of(op, w) == Approx(kFloor + op.flops / 100e12));
  w.weights = DType::int4;
  CHECK(time_of(op, w) == Approx(kFloor + op.flops / 50e12));
  w.weights = w.activations = DType::fp32;
  CHECK(time_of(op, w) == Approx(kFloor + op.flops / 5e12));
}

TEST_CASE("attention: decode reads keys and values of the context, prefill computes", "[predict]") {
  // 8 sequences, 1 kv head of 128 + 128, 4096 positions, 2 bytes; queries, new keys and values, output beside it
  const double cache = 8.0 * 4096 * 256 * 2, own = 8.0 * (8 * 256 + 256) * 2;
  CHECK(spec_us(attention(8, 1, 4096)) * 1e-6 == Approx(3 * kFloor + (cache + own) / kMemory));
  KernelCall fp8 = attention(8, 1, 4096);
  fp8.kv_cache = DType::fp8;
  CHECK(spec_us(fp8) * 1e-6 == Approx(3 * kFloor + (cache / 2 + own) / kMemory));
  const double pairs = 4096.0 * 4097 / 2;
  CHECK(spec_us(attention(1, 4096, 4096)) * 1e-6 == Approx(3 * kFloor + 4 * pairs * 8 * 128 / kAttention));
}

TEST_CASE("attention: a window bounds what is read and computed", "[predict]") {
  CHECK(spec_us(attention(8, 1, 65536, 128)) < spec_us(attention(8, 1, 256)));
  CHECK(spec_us(attention(1, 65536, 65536, 128)) < spec_us(attention(1, 65536, 65536)) / 100);
}

TEST_CASE("attention: decoding over a latent cache reads one vector a position", "[predict]") {
  KernelCall call = attention(8, 1, 4096);
  call.kind = KernelKind::latent_attention;
  call.heads = call.kv_heads = 128;
  const double bytes = 8.0 * (4096 * 576 + 128 * 1088) * 2;
  const double flops = 2.0 * 8 * 4096 * 128 * 1088;
  CHECK(spec_us(call) * 1e-6 == Approx(3 * kFloor + std::max(bytes / kMemory, flops / kAttention)));
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
  const double active = 8 * (1 - 49.0 / 64);  // of 8, by 2 routes
  const double bytes = 2.0 * 3 * 1024 * 512 * active + 2.0 * 2 * (2 * 1024 + 3 * 512);
  CHECK(spec_us(experts(1, 8, 2)) * 1e-6 == Approx(5 * kFloor + bytes / kMemory));
  // Many rows: all experts, and half a tile of 16 rows of padding for each.
  const double flops = 6.0 * 65536 * 512 * 1024 * (1 + 8 * 8.0 / 65536);
  CHECK(spec_us(experts(32768, 8, 2)) * 1e-6 == Approx(5 * kFloor + flops / kGemm));
}

TEST_CASE("experts: ranks that share them out hold fewer and get fewer routes", "[predict]") {
  KernelCall split = experts(32768, 2, 2);
  split.all_experts = 8;
  CHECK(spec_us(split) < spec_us(experts(32768, 8, 2)) / 3.5);
}

TEST_CASE("kernels: products of one input are one product", "[predict]") {
  const auto qkv = times({gemm("self_attn.q_proj", 8, 1024, 4096), gemm("self_attn.k_proj", 8, 128, 4096),
                          gemm("self_attn.v_proj", 8, 128, 4096), gemm("self_attn.o_proj", 8, 4096, 1024)});
  const double whole = time_of(gemm("self_attn.qkv", 8, 1280, 4096));
  CHECK(qkv[0].time.count() == Approx(whole * 1024 / 1280));
  CHECK(qkv[1].time.count() == Approx(whole * 128 / 1280));
  CHECK(qkv[2].time == qkv[1].time);
  CHECK(qkv[3].time.count() == Approx(time_of(gemm("self_attn.o_proj", 8, 4096, 1024))));
}

TEST_CASE("kernels: silu * mul is one kernel that reads both and writes one", "[predict]") {
  const auto mlp =
      times({gemm("mlp.gate_proj", 8, 512, 4096), small(OperationKind::elementwise, "mlp.act_fn", 8192, 8192),
             gemm("mlp.up_proj", 8, 512, 4096), small(OperationKind::elementwise, "mlp", 16384, 8192),
             gemm("mlp.down_proj", 8, 4096, 512)});
  CHECK((mlp[1].time + mlp[3].time).count() == Approx(kFloor + 3 * 8192 / kMemory));
  CHECK((mlp[0].time + mlp[2].time).count() == Approx(time_of(gemm("mlp.gate_up", 8, 1024, 4096))));
}

TEST_CASE("kernels: add + norm stores the sum, reads it once; communication separates kernels", "[predict]") {
  const Operation add = small(OperationKind::elementwise, "", 2048, 1024),
                  norm = small(OperationKind::norm, "n", 1024, 1024);
  const auto fused = times({add, norm});
  CHECK((fused[0].time + fused[1].time).count() == Approx(kFloor + 4 * 1024 / kMemory));
  Trace apart = trace_of({add, norm});
  apart.forward = {all_reduce(1024, 2)};
  apart.forward_after = {1};
  const auto two = timed(apart).operations;
  CHECK((two[0].time + two[1].time).count() == Approx(2 * kFloor + 5 * 1024 / kMemory));
}

TEST_CASE("kernels: a router's softmax and selection are one kernel, and its experts another", "[predict]") {
  Operation score = small(OperationKind::softmax, "mlp.router", 128, 128),
            select = small(OperationKind::routing, "mlp.router", 128, 64),
            weigh = small(OperationKind::elementwise, "mlp.router", 64, 64);
  Operation up = gemm("mlp.experts", 8, 1024, 512), down = gemm("mlp.experts", 8, 512, 512);
  up.kind = down.kind = OperationKind::grouped_gemm;
  up.experts = down.experts = 8;
  Trace trace = trace_of({gemm("mlp.router", 4, 8, 512), score, select, weigh, up, down});
  CHECK(timed(trace).kernels == 3);
}

TEST_CASE("kernels: zero sizes are finite", "[predict]") {
  for (const KernelCall& call : {KernelCall{}, attention(0, 0, 0), experts(0, 0, 0), experts(0, 8, 2)}) {
    CHECK(std::isfinite(spec_us(call)));
    CHECK(spec_us(call) >= kFloor * 1e6);
  }
  CHECK(time_of(gemm("a", 0, 0, 0)) == Approx(kFloor));
}

TEST_CASE("kernels: time grows with rows, context and batch, without jumps", "[predict]") {
  double last_gemm = 0, last_attention = 0, last_experts = 0;
  for (std::int64_t m = 1; m <= 4096; ++m) {
    const double g = time_of(gemm("a", m, 4096, 4096)), a = spec_us(attention(8, 1, 16 * m)),
                 e = spec_us(experts(m, 64, 2));
    if (m > 1) {
      CHECK((g >= last_gemm && g - last_gemm < 1e-6));
      CHECK((a >= last_attention && a - last_attention < 1));
      CHECK((e >= last_experts && e - last_experts < 20));
    }
    last_gemm = g;
    last_attention = a;
    last_experts = e;
  }
}

TEST_CASE("predict: a layer's trace counts once for each step that runs it", "[predict]") {
  Analysis a;
  a.parallelism.tp = 4;
  a.workload.batch = a.workload.tokens = 1;
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
  REQUIRE(p.collectives.front().time.count() > 0);
  CHECK(p.communication.count() == Approx(5 * p.collectives.front().time.count()));
  CHECK(p.total.count() == Approx((p.compute + p.communication).count()));
  CHECK(p.low.count() == Approx(p.total.count() * std::exp(-p.band)));
  CHECK(p.high.count() == Approx(p.total.count() * std::exp(p.band)));
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

TEST_CASE("predictor: another load of the same model is the analysis of that load", "[predict]") {
  const auto at_rows = [](std::int64_t rows) {
    Analysis a;
    a.workload.batch = rows;
    a.workload.tokens = 1;
    a.workload.past = 100;
    Trace t =
        trace_of({gemm("mlp.up", rows, 512, 512), small(OperationKind::elementwise, "", 2048 * rows, 1024 * rows)});
    t.forward = {all_reduce(1024 * rows, 4)};
    t.forward_after = {1};
    a.traces = {t};
    a.steps = {{0, "layers.0"}};
    return a;
  };
  Predictor predictor(toy());
  CHECK(predictor.total(at_rows(64), load_of(at_rows(16).workload)).count() ==
        Approx(predictor.total(at_rows(16)).count()));
  CHECK(predictor.predict(at_rows(16)).total.count() == Approx(predictor.total(at_rows(16)).count()));
}

TEST_CASE("predictor: the stack adds its host time, and launches bound an eager pass", "[predict]") {
  Analysis a;
  a.workload.batch = 8;
  a.workload.tokens = 1;
  a.traces = {trace_of({gemm("mlp.up", 8, 64, 64)})};
  a.steps = {{0, "layers.0"}};
  const double gpu = predict(a, toy()).total.count();
  Stack stack;
  stack.step_us = 100;
  stack.sequence_us = 2;
  CHECK(Predictor(toy(), {stack, {}}).total(a).count() == Approx(gpu + 116e-6));
  stack.launch_us = 50;
  CHECK(Predictor(toy(), {stack, {}}).total(a).count() == Approx(166e-6));
}

TEST_CASE("predictor: a stack's two factors on products pass into each other over the rows", "[predict]") {
  Stack stack;
  stack.wide_gemm_factor = 1.5;
  Predictor plain(toy()), scaled(toy(), {stack, {}});
  double before = 1;
  for (const std::int64_t rows : {1, 64, 256, 1024, 16384}) {
    KernelCall call;
    call.kind = KernelKind::gemm;
    call.rows = rows;
    call.n = call.k = 64;
    const double ratio = scaled.kernel(call).us / plain.kernel(call).us;
    CHECK(ratio >= before);
    if (rows == 256) CHECK(ratio == Approx(1.25));
    before = ratio;
  }
  CHECK(before > 1.45);
}

TEST_CASE("predictor: a stack's two factors on experts pass into each other over the tokens of one", "[predict]") {
  Stack stack;
  stack.experts_factor = 0.5;
  stack.wide_experts_factor = 2;
  Predictor plain(toy()), scaled(toy(), {stack, {}});
  double before = 0.5;
  for (const std::int64_t rows : {1, 64, 256, 1024, 65536}) {
    KernelCall call;
    call.kind = KernelKind::experts;
    call.rows = rows;
    call.n = call.k = 64;
    call.experts = call.all_experts = 32;
    call.topk = 4;
    const double ratio = scaled.kernel(call).us / plain.kernel(call).us;
    CHECK(ratio >= before);
    if (rows == 256) CHECK(ratio == Approx(1.25));  // 32 tokens for each expert
    before = ratio;
  }
  CHECK(before > 1.9);
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
