// Models of collectives: physics, choice of algorithm, properties that must hold for every calibration shipped.
#include "sim/network/collectives.h"

#include <cmath>

#include "core/data.h"
#include "core/json.h"
#include "sim/network/collective_model.h"
#include "sim/network/collective_series.h"
#include "sim/network/collectives_fit.h"
#include "tests/catch.hpp"
#include "tests/error_text.h"

namespace tpsim {
namespace {

constexpr CollectiveOp kOps[] = {CollectiveOp::all_reduce, CollectiveOp::all_gather, CollectiveOp::reduce_scatter,
                                 CollectiveOp::all_to_all, CollectiveOp::broadcast,  CollectiveOp::send};
constexpr CollectiveStack kStacks[] = {CollectiveStack::fastest, CollectiveStack::nccl, CollectiveStack::vllm,
                                       CollectiveStack::sglang, CollectiveStack::trtllm};

// 100 GB/s NVLink, 10 GB/s adapters, round numbers.
Hardware toy() {
  Hardware h;
  h.name = "toy";
  h.devices_per_node = 4;
  h.memory_bandwidth = {3e12};
  h.bandwidth_efficiency = 1;
  h.link = {"wire", {100e9}, Seconds(1e-6), Seconds(5e-6), Seconds(4e-6), false};
  h.network = {"cable", {10e9}, Seconds(10e-6), Seconds(5e-6), {}, false};
  h.link_efficiency = h.network_efficiency = 1;
  return h;
}

double us(CollectiveOp op, double bytes, int ranks, const CollectiveNetwork& network, int nodes = 1) {
  CollectiveShape shape;
  shape.op = op;
  shape.bytes = bytes;
  shape.ranks = ranks;
  shape.nodes = nodes;
  return collective_time(shape, network).time.us;
}

std::vector<std::string> shipped_sets() {
  std::vector<std::string> paths;
  for (const std::string& path : list_data("sim/calibration/"))
    if (path.ends_with("/collectives.json")) paths.push_back(path);
  return paths;
}

CollectiveCalibration shipped(const std::string& path) {
  const auto document = parse_json(*find_data(path), path);
  REQUIRE(document);
  const Value* part = find(std::get<ValueObject>(document->data), "collectives");
  REQUIRE(part != nullptr);
  auto calibration = read_collective_calibration(*part);
  INFO(path << ": " << error_text(calibration));
  REQUIRE(calibration);
  return std::move(*calibration);
}

// Every operation, stack and rank count.
template <class F>
void for_all_curves(F check) {
  for (const CollectiveOp op : kOps)
    for (const CollectiveStack stack : kStacks)
      for (const int ranks : {2, 3, 4, 6, 8, 16, 64}) {
        CollectiveShape shape;
        shape.op = op;
        shape.stack = stack;
        shape.ranks = ranks;
        check(shape);
      }
}

// Rows of a ring with 5 us, 1 us a step and 100 GB/s; every second measurement is `noise` longer.
std::vector<MeasuredCollective> ring_rows(std::initializer_list<int> rank_counts, double noise = 0) {
  std::vector<MeasuredCollective> rows;
  for (const int n : rank_counts)
    for (int k = 10; k <= 29; ++k) {
      MeasuredCollective r;
      r.gpu = "TOY";
      r.topo = "nvswitch";
      r.source = "test";
      r.shape.ranks = n;
      r.shape.bytes = std::exp2(k);
      r.us = (5 + 2 * (n - 1) + r.shape.bytes * bus_factor(CollectiveOp::all_reduce, n) / 1e5) *
             (k % 2 == 0 ? 1 + noise : 1);
      rows.push_back(r);
    }
  return rows;
}

}  // namespace

TEST_CASE("bus factor: as nccl-tests defines busbw", "[network]") {
  CHECK(bus_factor(CollectiveOp::all_reduce, 8) == Approx(1.75));
  CHECK(bus_factor(CollectiveOp::all_gather, 8) == Approx(0.875));
  CHECK(bus_factor(CollectiveOp::reduce_scatter, 4) == Approx(0.75));
  CHECK(bus_factor(CollectiveOp::broadcast, 8) == 1);
}

TEST_CASE("branches: start, steps, wire, own part and ramp add up", "[network]") {
  CollectiveBranch b;
  b.base = 5, b.hop = 1, b.wire = 1e5, b.local = 2e5, b.ramp = 0.5;
  // 5 + 6 steps of 1 + 1.5 MB at 100 kB/us + 0.25 MB at 200 kB/us + 0.5 sqrt(1500)
  CHECK(branch_us(b, CollectiveOp::all_reduce, 1e6, 4) == Approx(5 + 6 + 15 + 1.25 + 0.5 * std::sqrt(1500)));
  b.algorithm = Algorithm::one_shot;
  // 3 peers are read whole
  CHECK(branch_us(b, CollectiveOp::all_reduce, 1e6, 4) == Approx(5 + 3 + 30 + 1.25 + 0.5 * std::sqrt(3000)));
  b.algorithm = Algorithm::multimem;
  b.local = b.ramp = 0;
  CHECK(branch_us(b, CollectiveOp::all_reduce, 1e6, 4) == Approx(5 + 4 + 12.5));
  b.least_ranks = 5;
  CHECK(std::isinf(branch_us(b, CollectiveOp::all_reduce, 1e6, 4)));
}

TEST_CASE("branches: a shared path narrows with the ranks, up to a host's", "[network]") {
  CollectiveBranch b;
  b.wire = 1e5;
  b.sharing = 1;
  // all_gather of 1 MB: 0.5 MB at 100 kB/us over 2 ranks; 0.75 MB at half the rate over 4
  CHECK(branch_us(b, CollectiveOp::all_gather, 1e6, 2) == Approx(5));
  CHECK(branch_us(b, CollectiveOp::all_gather, 1e6, 4) == Approx(15));
  CHECK(branch_us(b, CollectiveOp::all_gather, 1e6, 16) == Approx(4 * 15.0 / 16 * 10));
}

TEST_CASE("spec network: the ring with flags starts sooner and moves half", "[network]") {
  const CollectiveNetwork n = spec_network(toy());
  // 5 us + 3 steps of 1 us + 3/4 of the bytes at 50 GB/s + the own quarter at 50 GB/s
  CHECK(us(CollectiveOp::all_gather, 4096, 4, n) == Approx(8 + 0.75 * 4096 / 50e3 + 1024 / 50e3));
  // twice the start; 3/4 at 100 GB/s, a quarter at a third of 3 TB/s
  CHECK(us(CollectiveOp::all_gather, 1e9, 4, n) == Approx(16 + 0.75e9 / 100e3 + 0.25e9 / 1e6));
  CollectiveShape shape;
  shape.ranks = 4;
  shape.bytes = 1e9;
  CHECK(algorithm_name(collective_time(shape, n)) == std::string("ring"));
  shape.bytes = 1024;
  CHECK(algorithm_name(collective_time(shape, n)) == std::string("ring LL"));
  shape.stack = CollectiveStack::fastest;
  // 4 us + 3 * 1024 bytes from the peers at 0.6 * 100 GB/s
  CHECK(collective_time(shape, n).time.us == Approx(4 + 3 * 1024 / 60e3));
  CHECK(algorithm_name(collective_time(shape, n)) == std::string("one-shot"));
  CHECK(collective_time(shape, n).time.bound == Bound::latency);
}

TEST_CASE("over nodes: steps follow each other, bytes flow through both at once", "[network]") {
  const CollectiveNetwork n = spec_network(toy());
  CollectiveShape shape;
  shape.ranks = 8;
  shape.bytes = 1e9;
  const CollectiveEstimate e = collective_time(shape, n);
  CHECK(e.hierarchical);
  CHECK(algorithm_name(e) == std::string("hierarchical"));
  // inside, no bytes: 2 (5 + 6 steps); between: 5 + 2 steps of 10 us; 2 * 7/8 GB over 4 adapters of 10 GB/s
  CHECK(e.time.us == Approx(22 + 25 + 1.75e9 / 40e3));
  // With flags: 5 + 6 steps; 5 + 2 steps of 5/14 of 10 us; 3 % of the rate
  shape.bytes = 1024;
  CHECK(collective_time(shape, n).time.us == Approx(11 + 5 + 20 * 5 / 14.0 + 1.75 * 1024 / 40e3 / 0.03));
  // one rank on each host sends over one adapter
  CHECK(us(CollectiveOp::send, 1e9, 2, n, 2) == Approx(5 + 10 + 1e9 / 10e3));
  // each rank sends what belongs to the other host's 4
  CHECK(us(CollectiveOp::all_to_all, 1e9, 8, n) == Approx(12 + 15 + 0.5e9 / 10e3));
  CHECK(us(CollectiveOp::all_reduce, 1e9, 4, n, 2) > us(CollectiveOp::all_reduce, 1e9, 4, n));
}

TEST_CASE("over nodes: a rack of NVLink has no adapters inside", "[network]") {
  CollectiveNetwork n = spec_network(toy());
  n.domain = 72;
  n.spans_hosts = true;
  CHECK(us(CollectiveOp::all_gather, 1e6, 16, n, 4) == us(CollectiveOp::all_gather, 1e6, 16, n, 1));
  CHECK(us(CollectiveOp::all_gather, 1e9, 144, n, 36) > us(CollectiveOp::all_gather, 1e9, 72, n, 18));
}

TEST_CASE("collectives: one rank needs none, and stand-ins say so", "[network]") {
  const CollectiveNetwork n = spec_network(toy());
  for (const CollectiveOp op : kOps) CHECK(us(op, 1e6, 1, n) == 0);
  CollectiveShape shape;
  shape.ranks = 4;
  shape.bytes = 1e6;
  shape.stack = CollectiveStack::trtllm;
  CHECK(collective_time(shape, n).time.source == NumberSource::spec);
  shape.stack = CollectiveStack::vllm;
  const double own = collective_time(shape, n).time.band;
  shape.stack = CollectiveStack::sglang;
  CHECK(collective_time(shape, n).time.band > own);
}

TEST_CASE("fit: a ring is found again, other rank counts too", "[network]") {
  const CollectiveCalibration c = fit_collectives(ring_rows({2, 8}));
  REQUIRE(c.networks.size() == 1);
  for (const int n : {2, 3, 4, 6, 8})
    for (const double bytes : {1024.0, 3e4, 1e6, 5e7, 5e8}) {
      const double expected = 5 + 2 * (n - 1) + bytes * bus_factor(CollectiveOp::all_reduce, n) / 1e5;
      CHECK(us(CollectiveOp::all_reduce, bytes, n, c.networks[0]) == Approx(expected).epsilon(0.1));
    }
  // An all-gather was not measured: half the steps, half the bytes.
  CHECK(us(CollectiveOp::all_gather, 1e9, 8, c.networks[0]) == Approx(0.875e9 / 1e5).epsilon(0.1));
}

TEST_CASE("fit: residuals repeat the rows, and say where they do not", "[network]") {
  const auto rows = ring_rows({2, 8}, 0.15);
  const CollectiveCalibration c = fit_collectives(rows);
  for (const MeasuredCollective& r : rows)
    CHECK(us(r.shape.op, r.shape.bytes, r.shape.ranks, c.networks[0]) == Approx(r.us).epsilon(0.1));
  CollectiveShape shape = rows.front().shape;
  CHECK(collective_time(shape, c.networks[0]).time.source == NumberSource::measured);
  shape.ranks = 4;
  CHECK(collective_time(shape, c.networks[0]).time.source == NumberSource::calibrated);
}

TEST_CASE("fit: a GPU with the same links tells about a rank count not measured", "[network]") {
  auto sister = ring_rows({2, 4, 8});
  for (MeasuredCollective& r : sister) {
    r.gpu = "SISTER";
    r.us *= r.shape.ranks == 4 ? 1.1 * 1.3 : 1.1;  // 4 ranks are 30 % slower than a ring, all is 10 % slower
  }
  const CollectiveCalibration c = fit_collectives(ring_rows({2, 8}), sister);
  CHECK(us(CollectiveOp::all_reduce, 1e6, 4, c.networks[0]) == Approx(1.3 * (11 + 15)).epsilon(0.03));
}

TEST_CASE("series: outliers go, falls are levelled", "[network]") {
  std::vector<MeasuredCollective> rows;
  for (const auto& [bytes, time] :
       {std::pair{1024.0, 40.0}, {2048.0, 4.0}, {4096.0, 5.0}, {8192.0, 4.5}, {16384.0, 6.0}}) {
    MeasuredCollective r;
    r.shape.ranks = 2;
    r.shape.bytes = bytes;
    r.us = time;
    rows.push_back(r);
  }
  const Series s = series_of(rows).at(2);
  REQUIRE(s.size() == 4);
  CHECK(s[0].log_us == Approx(std::log(4.0)));
  CHECK(s[1].log_us == s[2].log_us);
  CHECK(log_us_at(s, 20) == Approx(std::log(6.0)));
}

TEST_CASE("shipped calibrations: never faster with more bytes, no jumps, sane from 0 bytes to terabytes", "[network]") {
  REQUIRE(shipped_sets().size() >= 11);
  for (const std::string& path : shipped_sets()) {
    const CollectiveCalibration calibration = shipped(path);
    for (const CollectiveNetwork& measured : calibration.networks) {
      const CollectiveNetwork network = network_of(toy(), &calibration, measured.topo);
      for_all_curves([&](CollectiveShape shape) {
        double last = collective_time(shape, network).time.us;
        INFO(path << " " << network.topo << " " << to_string(shape.op) << " " << to_string(shape.stack) << " over "
                  << shape.ranks);
        bool rises = true, continuous = true;
        for (double log2_bytes = 0; log2_bytes < 41; log2_bytes += 0.05) {
          shape.bytes = std::exp2(log2_bytes);
          const double now = collective_time(shape, network).time.us;
          rises = rises && now >= last * (1 - 1e-12);
          // A twentieth of an octave: at most 3.6 % more bytes; times of measured outliers rise faster.
          continuous = continuous && now <= last * 1.25;
          last = now;
        }
        CHECK(rises);
        CHECK(continuous);
        shape.bytes = 0;
        const double none = collective_time(shape, network).time.us;
        shape.bytes = 1;
        CHECK(none > 0.5);
        CHECK(none < 2000);
        CHECK(collective_time(shape, network).time.us == Approx(none).epsilon(0.01));
        CHECK(std::isfinite(last));
      });
    }
  }
}

TEST_CASE("shipped calibrations: JSON reads back as it was", "[network]") {
  for (const std::string& path : shipped_sets()) {
    const CollectiveCalibration calibration = shipped(path);
    const auto again = read_collective_calibration(to_value(calibration));
    REQUIRE(again);
    CHECK(*again == calibration);
  }
}

TEST_CASE("shipped calibrations: published orders hold", "[network]") {
  const CollectiveCalibration h100 = shipped("sim/calibration/h100-sxm/collectives.json");
  const CollectiveNetwork& n = *find_network(h100, "nvswitch");
  CollectiveShape shape;
  shape.ranks = 8;
  shape.bytes = 16384;
  CHECK(algorithm_name(collective_time(shape, n)) == std::string("ring LL"));
  shape.bytes = 1e8;
  CHECK(algorithm_name(collective_time(shape, n)) == std::string("NVLS"));
  shape.dtype = DType::int8;
  CHECK(algorithm_name(collective_time(shape, n)) != std::string("NVLS"));
  shape.dtype = DType::bf16;
  shape.stack = CollectiveStack::sglang;
  shape.bytes = 16384;
  CHECK(algorithm_name(collective_time(shape, n)) == std::string("one-shot"));
  shape.eager = true;
  shape.stack = CollectiveStack::vllm;
  CHECK(collective_time(shape, n).time.us > 15);  // a host launches it
  CHECK(find_network(h100, "pcie9") == nullptr);
  const CollectiveCalibration l40s = shipped("sim/calibration/l40s/collectives.json");
  REQUIRE(find_network(l40s, "pcie4-p2p") != nullptr);
  // A host without peer access is an order of magnitude slower over 8 ranks.
  CHECK(us(CollectiveOp::all_reduce, 1e8, 8, *find_network(l40s, "pcie4-nop2p")) >
        5 * us(CollectiveOp::all_reduce, 1e8, 8, *find_network(l40s, "pcie4-p2p")));
}

TEST_CASE("explain: the terms of the formula with their values", "[network]") {
  CollectiveShape shape;
  shape.ranks = 4;
  shape.bytes = 1e9;
  const auto lines = explain_collective(shape, spec_network(toy()));
  REQUIRE(lines.size() == 7);
  CHECK(lines[0] == "all_reduce of 1000000000 bytes over 4 ranks, ring: 1.527e+04 us");
  CHECK(lines[1] == "     10.00 us  ring Simple: start");
  CHECK(lines[2] == "     12.00 us  steps of 2 us");
  CHECK(lines[3] == "  15000.00 us  bytes on the wire at 100 GB/s");
  CHECK(lines[4] == "    250.00 us  a rank's own part at 1000 GB/s");
}

TEST_CASE("calibration JSON: faults are named", "[network]") {
  const auto error_of = [](const std::string& from, const std::string& to) {
    CollectiveCalibration c{{spec_network(toy())}, {}};
    std::string text = to_json(to_value(c));
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
    return error_text(read_collective_calibration(*parse_json(text, "x")));
  };
  CHECK(error_of("\"ring\"", "\"rong\"").find("\"algorithm\" is \"rong\", expected one of \"ring\", \"NVLS\"") !=
        std::string::npos);
  CHECK(error_of("\"base_us\": 5", "\"base_us\": -5").find("\"base_us\"") != std::string::npos);
  CHECK(error_of("\"least_ranks\": 2", "\"least_ranks\": 3").find("no error") != std::string::npos);
  CHECK(error_of("\"op\": \"all_reduce\"", "\"op\": \"all\"").find("unknown \"op\": \"all\"") != std::string::npos);
  CHECK(error_of("\"networks\"", "\"net\"").find("\"networks\" is missing") != std::string::npos);
}

TEST_CASE("rows: what a table lacks or says wrongly is named with its place", "[network]") {
  const std::string head = "gpu,op,impl,dtype,bytes,ranks,time_us\n";
  const auto read = [&](const std::string& row) {
    const auto table = parse_measured(head + row, "c.csv");
    REQUIRE(table);
    return error_text(read_collectives(*table));
  };
  CHECK(read("X,all_reduce,nccl,fp16,1024,8,20\n") == "no error");
  CHECK(read("X,all_redux,nccl,fp16,1024,8,20\n").find("\"all_redux\" is no collective") != std::string::npos);
  CHECK(read("X,all_reduce,mpi,fp16,1024,8,20\n").find("\"mpi\" is no known implementation") != std::string::npos);
  CHECK(read("X,all_reduce,nccl,fp16,1024,8,-2\n").find("c.csv:2") != std::string::npos);
  CHECK(read("X,all_reduce,nccl,fp16,1024,0,20\n").find("ranks are 1 or more") != std::string::npos);
}

}  // namespace tpsim
