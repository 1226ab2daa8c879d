// nccl-tests output in the forms that people paste, and what is refused.
#include "traces/nccl_tests.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "sim/network/nccl_calibration.h"
#include "tests/catch.hpp"
#include "tests/error_text.h"

namespace tpsim {
namespace {

namespace fs = std::filesystem;

const char* kHead =
    "# nThread 1 nGpus 4 minBytes 1024 maxBytes 1073741824 step: 2(factor) warmup iters: 5 iters: 20 validation: 1\n"
    "#\n# Using devices\n"
    "#  Rank  0 Group  0 Pid   100 on      host0 device  0 [0000:07:00] TOY GPU 10GB\n"
    "#  Rank  1 Group  0 Pid   100 on      host0 device  1 [0000:0a:00] TOY GPU 10GB\n"
    "#  Rank  2 Group  0 Pid   200 on      host1 device  0 [0000:07:00] TOY GPU 10GB\n"
    "#  Rank  3 Group  0 Pid   200 on      host1 device  1 [0000:0a:00] TOY GPU 10GB\n"
    "NCCL version 2.19.3+cuda12.3\n"
    "#                                                              out-of-place                       in-place\n"
    "#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   busbw "
    "#wrong\n"
    "#        (B)    (elements)                               (us)  (GB/s)  (GB/s)            (us)  (GB/s)  (GB/s)\n";

NcclTestsOutput read(const std::string& text, const std::string& file = "all_reduce.txt") {
  auto output = parse_nccl_tests(text, file);
  INFO(error_text(output));
  REQUIRE(output);
  return std::move(*output);
}

CollectiveSweep only(const std::string& text, const std::string& file = "all_reduce.txt") {
  const NcclTestsOutput output = read(text, file);
  REQUIRE(output.sweeps.size() == 1);
  return output.sweeps.front();
}

Hardware toy() {
  Hardware h;
  h.name = "toy";
  h.devices_per_node = 8;
  h.memory_bandwidth = {3e12};
  h.link = {"NVLink", {450e9}, Seconds(1e-6), Seconds(5e-6), Seconds(4e-6), false};
  h.network = {"cable", {50e9}, Seconds(10e-6), Seconds(5e-6), {}, false};
  return h;
}

// As a ring with `start` us, 1 us a step and `rate` GB/s would take.
CollectiveSweep ring_sweep(int ranks, double start, double rate, int nodes = 1, int from = 10, int to = 30) {
  CollectiveSweep s;
  s.file = "sweep.txt";
  s.line = 1;
  s.ranks = ranks;
  s.nodes = nodes;
  for (int k = from; k <= to; ++k) {
    SweepRow r;
    r.line = static_cast<int>(s.rows.size()) + 2;
    r.bytes = std::int64_t{1} << k;
    const double factor = bus_factor(CollectiveOp::all_reduce, ranks), bytes = static_cast<double>(r.bytes);
    r.us = start + 2.0 * (ranks - 1) + bytes * factor / (rate * 1e3);
    r.algbw = bytes / r.us / 1e3;
    r.busbw = r.algbw * factor;
    s.rows.push_back(r);
  }
  return s;
}

std::string refusal(const CollectiveSweep& sweep) {
  const auto ok = check_sweep(sweep, toy());
  return ok ? "accepted" : error_text(ok.error());
}

Result<NetworkFit> calibrate(const CollectiveSweep& sweep) {
  return calibrate_collectives(std::span<const CollectiveSweep>(&sweep, 1), toy(), spec_network(toy()));
}

double us_of(const CollectiveNetwork& network, double bytes, int ranks, int nodes = 1,
             CollectiveOp op = CollectiveOp::all_reduce) {
  CollectiveShape shape;
  shape.op = op;
  shape.bytes = bytes;
  shape.ranks = ranks;
  shape.nodes = nodes;
  return collective_time(shape, network).time.us;
}

}  // namespace

TEST_CASE("nccl-tests: a table of today with devices and version", "[nccl_tests]") {
  const CollectiveSweep s =
      only(std::string(kHead) +
           "        1024           256     float     sum      -1    12.90    0.08    0.12      0    "
           "12.87    0.08    0.12      0\n"
           "     1048576        262144     float     sum      -1    28.56   36.71   55.07      0    "
           "28.37   36.96   55.44      0\n"
           "# Out of bounds values : 0 OK\n# Avg bus bandwidth    : 156.742\n");
  CHECK(s.op == CollectiveOp::all_reduce);
  CHECK(s.ranks == 4);
  CHECK(s.nodes == 2);
  CHECK(s.dtype == DType::fp32);
  CHECK(s.device == "TOY GPU 10GB");
  CHECK(s.library == "2.19.3+cuda12.3");
  REQUIRE(s.rows.size() == 2);
  CHECK(s.rows[1].bytes == 1048576);
  CHECK(s.rows[1].us == Approx(28.56));
  CHECK(s.rows[1].busbw == Approx(55.07));
  CHECK(s.rows[1].line == 13);
}

TEST_CASE("nccl-tests: the ranks follow from the rates or the counts where no device is listed", "[nccl_tests]") {
  CHECK(only(" 1073741824     268435456     float     sum      -1    10887   98.62  184.92      0\n"
             " 2147483648     536870912     float     sum      -1    21511   99.83  187.18      0\n")
            .ranks == 16);
  const CollectiveSweep gather = only(
      " 1048576  16384  float  none  -1  996.7  1.05  0.99  N/A  1007.1  1.04  0.98  N/A\n", "logs/all_gather_16.txt");
  CHECK(gather.op == CollectiveOp::all_gather);
  CHECK(gather.ranks == 16);
  CHECK(gather.nodes == 0);
}

TEST_CASE("nccl-tests: launcher prefixes and logs between the rows", "[nccl_tests]") {
  const std::string row = "  1048576  262144  float  sum  -1  28.56  36.71  64.24  0  28.37  36.96  64.68  0\n";
  for (const std::string prefix :
       {"", "    ", "0: ", "[1,0]<stdout>:", "[1,0]<stdout>: ", "node1:0 | ", "12:01:33.123 "}) {
    INFO(prefix);
    const CollectiveSweep s = only("host:3442:3442 [0] NCCL INFO Launch mode Parallel\n" + prefix + row +
                                   "Authorization required, but no authorization protocol specified\n...\n");
    CHECK(s.rows.at(0).us == Approx(28.56));
    CHECK(s.ranks == 8);
  }
}

TEST_CASE("nccl-tests: old columns, columns in another order, one group, no checks", "[nccl_tests]") {
  // `error` and no root
  const CollectiveSweep old = only(
      "#       size         count    type   redop     time   algbw   busbw  error     time   algbw   busbw  error\n"
      "     1048576        262144   float     sum    135.3    7.75   13.56  7e-07    132.7    7.90   13.83  7e-07\n");
  CHECK(old.rows.at(0).us == Approx(135.3));
  CHECK(old.rows.at(0).wrong == 0);
  CHECK(old.ranks == 8);
  const CollectiveSweep moved = only(
      "# count size type redop busbw algbw time error\n"
      "262144 1048576 float sum 135.3 7.75 13.56 1e+00\n");
  CHECK(moved.rows.at(0).bytes == 1048576);
  CHECK(moved.rows.at(0).us == 13.56);
  CHECK(moved.rows.at(0).busbw == 135.3);
  CHECK(moved.rows.at(0).wrong == 1);
  // an empty reduction, as old alltoall tests print
  const CollectiveSweep empty = only(
      "#       size         count    type   redop     time   algbw   busbw  error     time   algbw   busbw  error\n"
      "     1048576         32768   float             89.00   11.78   10.31    N/A    85.13   12.32   10.78    N/A\n",
      "alltoall.log");
  CHECK(empty.op == CollectiveOp::all_to_all);
  CHECK(empty.rows.at(0).us == 89);
  CHECK(empty.ranks == 8);
  // without a header: nine numbers begin with the root, eight do not
  CHECK(only("1048576 262144 float sum -1 20 52.43 91.75 0 21 49.93 87.38 0\n").rows.at(0).us == 20);
  CHECK(only("1048576 262144 float sum 20 52.43 91.75 0 21 49.93 87.38 0\n").rows.at(0).us == 20);
  CHECK(only("1048576 262144 float sum 20 52.43 91.75\n").rows.at(0).us == 20);
  // out of place was not run
  CHECK(only("1048576 262144 float sum -1 N/A N/A N/A N/A 21 49.93 87.38 0\n").rows.at(0).us == 21);
}

TEST_CASE("nccl-tests: the per-iteration columns and time stamps of newer versions", "[nccl_tests]") {
  const CollectiveSweep s = only(
      "# size count type redop root time algbw busbw #wrong i_min i_max i_p99 i_cv% time algbw busbw #wrong i_min "
      "i_max "
      "i_p99 i_cv% timestamp\n"
      "1048576 262144 float sum -1 20 52.43 91.75 3 19 25 24 1.5 21 49.93 87.38 0 20 26 25 1.2 2026-01-01 10:00:00\n");
  CHECK(s.rows.at(0).us == 20);
  CHECK(s.rows.at(0).wrong == 3);
}

TEST_CASE("nccl-tests: several sweeps in one file", "[nccl_tests]") {
  const std::string rows =
      "1048576 16384 float none -1 20 52.43 49.15 0\n2097152 32768 float none -1 40 52.43 49.15 0\n";
  const NcclTestsOutput output =
      read("# Collective test starting: all_gather_perf\n" + rows + "# Out of bounds values : 0 OK\n" +
               "# Collective test concluded: all_gather_perf\n# Collective test starting: broadcast_perf\n" +
               "1048576 262144 float none 0 20 52.43 52.43 0\n# Out of bounds values : 2 FAILED\n" +
               "# Collective test starting: all_gather_perf\n" + rows + rows,
           "log.txt");
  REQUIRE(output.sweeps.size() == 4);
  CHECK(output.sweeps[0].op == CollectiveOp::all_gather);
  CHECK(output.sweeps[1].op == CollectiveOp::broadcast);
  CHECK(output.sweeps[1].out_of_bounds == 2);
  CHECK(output.sweeps[3].rows.size() == 2);  // sizes begin again
  CHECK(output.sweeps[3].op == CollectiveOp::all_gather);
}

TEST_CASE("nccl-tests: a row that is cut off is left out with a note", "[nccl_tests]") {
  const NcclTestsOutput output = read(std::string(kHead) +
                                      "        1024  256  float  sum  -1  12.90  0.08  0.12  0  12.87  0.08  0.12  0\n"
                                      "        2048  512  float  sum  -1  13");
  REQUIRE(output.sweeps.size() == 1);
  CHECK(output.sweeps[0].rows.size() == 1);
  REQUIRE(output.notes.size() == 1);
  CHECK(output.notes[0] == "all_reduce.txt:13: row of 2048 bytes left out: it is cut off or has no time");
}

TEST_CASE("nccl-tests: a row shorter than its header is no row", "[nccl_tests]") {
  const NcclTestsOutput output = read(
      "# size count type redop busbw algbw #wrong i_min time\n"
      "1048576 262144 float sum 91.75 52.43 0\n2097152 524288 float sum 91.75 52.43 0 3 40\n");
  REQUIRE(output.sweeps.size() == 1);
  CHECK(output.sweeps[0].rows.size() == 1);
  CHECK(output.sweeps[0].rows[0].us == 40);
}

TEST_CASE("nccl-tests: JSON of -J, CSV", "[nccl_tests]") {
  const CollectiveSweep json = only(R"({"version":2,"args":["/opt/all_reduce_perf","-b","1M"],"nccl_version":22903,
    "config":{"ngpus":1,"devices":[{"rank":0,"hostname":"a","device_info":"TOY"},{"rank":1,"hostname":"a"},
                                   {"rank":2,"hostname":"b"},{"rank":3,"hostname":"b","device_info":"TOY"}]},
    "results":[{"size":1048576,"count":262144,"type":"bfloat16","redop":"sum","root":"    -1",
      "out_of_place":{"time":20.5,"alg_bw":51.15,"bus_bw":76.7,"nwrong":0.0},"in_place":null},
     {"size":2097152,"count":524288,"type":"bfloat16","redop":"sum","root":"    -1",
      "out_of_place":null,"in_place":{"cpu_time":41,"alg_bw":51.15,"bus_bw":"nan","nwrong":null}}],
    "out_of_bounds":{"count":0,"okay":"true"}})",
                                    "run.json");
  CHECK(json.op == CollectiveOp::all_reduce);
  CHECK(json.ranks == 4);
  CHECK(json.nodes == 2);
  CHECK(json.library == "2.29.3");
  CHECK(json.dtype == DType::bf16);
  CHECK(json.rows.at(1).us == 41);
  const NcclTestsOutput csv = read(
      "op,dtype,ranks,Size (B),Time (us),busbw\n"
      "all_gather,half,8,1024,10.5,0.1\nall_reduce,half,8,1024,16,0.2\n"
      "all_gather,half,8,2048,10.6,0.2\n");
  REQUIRE(csv.sweeps.size() == 2);
  CHECK(csv.sweeps[0].rows.size() == 2);
  CHECK(csv.sweeps[1].op == CollectiveOp::all_reduce);
}

TEST_CASE("nccl-tests: what is none is said", "[nccl_tests]") {
  const auto error = [](const std::string& text, const std::string& file) {
    return error_text(parse_nccl_tests(text, file));
  };
  CHECK(error("", "x.txt").find("the file is empty") != std::string::npos);
  CHECK(error("hello\nworld\n", "x.txt").find("no table of nccl-tests found") != std::string::npos);
  CHECK(error("{\"a\": 1}", "x.json").find("not the JSON output of nccl-tests") != std::string::npos);
  CHECK(error("{\"a\": ", "x.json").find("not valid JSON") != std::string::npos);
  CHECK(error("1024 256 float none -1 20 0.05 0.05 0\n", "x.txt").find("does not say which operation") !=
        std::string::npos);
  const NcclTestsOutput other =
      read("# Collective test starting: hypercube_perf\n1024 256 float none -1 20 0.05 0.05 0\n");
  CHECK(other.sweeps.empty());
  CHECK(other.notes.at(0).find("hypercube_perf left out") != std::string::npos);
}

TEST_CASE("sweeps: nonsense is refused with its reason", "[nccl_tests]") {
  CHECK(refusal(ring_sweep(8, 10, 300)) == "accepted");
  CollectiveSweep s = ring_sweep(8, 10, 300);
  s.ranks = 0;
  CHECK(refusal(s).find("the number of ranks is not known") != std::string::npos);
  s.ranks = 1;
  CHECK(refusal(s).find("ran on one rank") != std::string::npos);
  s = ring_sweep(8, 10, 300);
  s.rows[3].wrong = 5;
  CHECK(refusal(s).find("wrong results: 5 values") != std::string::npos);
  s = ring_sweep(8, 10, 300, 1, 10, 11);
  CHECK(refusal(s).find("too few rows: 2") != std::string::npos);
  CHECK(refusal(ring_sweep(8, 10, 1200)).find("faster than the link: busbw") != std::string::npos);
  s = ring_sweep(8, 10, 300);
  for (SweepRow& r : s.rows) r.us /= 1000;
  CHECK(refusal(s).find("no collective takes") != std::string::npos);
  s = ring_sweep(8, 2000, 300);
  for (SweepRow& r : s.rows) r.us /= 1000;
  CHECK(refusal(s).find("the times are milliseconds, not microseconds") != std::string::npos);
  s = ring_sweep(8, 10, 300);
  for (SweepRow& r : s.rows) r.algbw *= 2, r.busbw *= 2;
  CHECK(refusal(s).find("size, time and algbw contradict each other") != std::string::npos);
  s = ring_sweep(8, 10, 300);
  for (SweepRow& r : s.rows) r.us = 1e6 / static_cast<double>(r.line), r.algbw = r.busbw = 0;
  CHECK(refusal(s).find("times fall or stay as sizes grow") != std::string::npos);
  s = ring_sweep(8, 10, 300);
  for (std::size_t i = 15; i < s.rows.size(); ++i) s.rows[i].busbw = s.rows[i].algbw;  // two ranks
  CHECK(refusal(s).find("rows of different rank counts") != std::string::npos);
  s = ring_sweep(8, 10, 300);
  const auto again = s.rows;
  s.rows.insert(s.rows.end(), again.begin(), again.end());
  CHECK(refusal(s).find("each size appears more than once") != std::string::npos);
}

TEST_CASE("calibrate: one sweep moves all-reduce, and what was not measured with it", "[nccl_tests]") {
  const CollectiveNetwork prior = spec_network(toy());
  const CollectiveSweep sweep = ring_sweep(8, 30, 150);
  const auto fit = calibrate(sweep);
  REQUIRE(fit);
  CHECK(fit->before.median > 0.3);
  CHECK(fit->after.median < 0.01);
  CHECK(fit->held_out.median < 0.05);
  const CollectiveNetwork& network = fit->calibration.networks.at(0);
  for (const SweepRow& r : sweep.rows)
    CHECK(us_of(network, static_cast<double>(r.bytes), 8) == Approx(r.us).epsilon(0.03));
  // All-gather moves half of what an all-reduce does; other rank counts follow.
  CHECK(us_of(network, 1e9, 8, 1, CollectiveOp::all_gather) == Approx(0.875e9 / 150e3).epsilon(0.2));
  CHECK(us_of(network, 1e9, 4) == Approx(1.5e9 / 150e3).epsilon(0.2));
  CHECK(us_of(network, 1024, 4) < us_of(network, 1024, 8));
  CollectiveShape shape;
  shape.op = CollectiveOp::all_gather;
  shape.ranks = 8;
  shape.bytes = 1e6;
  CHECK(collective_time(shape, network).time.source == NumberSource::transferred);
}

TEST_CASE("calibrate: few sizes help and do not harm", "[nccl_tests]") {
  const CollectiveNetwork prior = spec_network(toy());
  const CollectiveSweep whole = ring_sweep(8, 30, 150);
  for (const auto& [from, to] : {std::pair{10, 14}, {20, 24}, {26, 30}}) {
    const CollectiveSweep part = ring_sweep(8, 30, 150, 1, from, to);
    const auto fit = calibrate(part);
    REQUIRE(fit);
    double before = 0, after = 0;
    for (const SweepRow& r : whole.rows) {
      const double bytes = static_cast<double>(r.bytes);
      before += std::abs(std::log(us_of(prior, bytes, 8) / r.us));
      after += std::abs(std::log(us_of(fit->calibration.networks[0], bytes, 8) / r.us));
    }
    INFO(from << " to " << to);
    CHECK(after < before);
  }
}

TEST_CASE("calibrate: over hosts the adapters move, and decide beyond the sweep", "[nccl_tests]") {
  const CollectiveNetwork prior = spec_network(toy());
  // 16 ranks on 2 hosts: bus rate 120 GB/s over 8 adapters
  const CollectiveSweep sweep = ring_sweep(16, 60, 120, 0);
  const auto fit = calibrate(sweep);
  REQUIRE(fit);
  CHECK(fit->notes.at(0).find("16 ranks taken as 2 hosts") != std::string::npos);
  const CollectiveNetwork& network = fit->calibration.networks.at(0);
  CHECK(network.between.wire == Approx(15e3).epsilon(0.2));
  CHECK(us_of(network, 1e6, 16, 2) == Approx(90 + 1.875e6 / 120e3).epsilon(0.05));
  CHECK(us_of(network, 1e11, 16, 2) == Approx(1.875e11 / 120e3).epsilon(0.2));
  // Inside a host nothing was measured.
  CHECK(us_of(network, 1e6, 8) == us_of(prior, 1e6, 8));
}

TEST_CASE("calibrate: rows of a table, each kind of host and stack for itself", "[nccl_tests]") {
  std::vector<MeasuredCollective> rows;
  for (const auto& [topo, rate] : {std::pair{"nvswitch", 200.0}, {"pcie5", 20.0}})
    for (const int ranks : {2, 4, 8})
      for (int k = 10; k <= 28; k += 2)
        for (const auto stack : {CollectiveStack::nccl, CollectiveStack::vllm}) {
          MeasuredCollective r;
          r.gpu = "TOY";
          r.topo = topo;
          r.shape.ranks = ranks;
          r.shape.stack = stack;
          r.shape.bytes = std::exp2(k);
          const double start = stack == CollectiveStack::nccl ? 20 : 8;
          r.us = start + ranks + r.shape.bytes * bus_factor(r.shape.op, ranks) / (rate * 1e3);
          rows.push_back(r);
        }
  const auto fit = calibrate_collectives(std::span<const MeasuredCollective>(rows), toy(), spec_network(toy()));
  INFO(error_text(fit));
  REQUIRE(fit);
  CHECK(fit->after.median < 0.02);
  REQUIRE(fit->calibration.networks.size() == 2);
  for (const MeasuredCollective& r : rows)
    CHECK(collective_time(r.shape, *find_network(fit->calibration, r.topo)).time.us == Approx(r.us).epsilon(0.05));
  for (MeasuredCollective& r : rows) r.us /= 100;
  CHECK(error_text(calibrate_collectives(std::span<const MeasuredCollective>(rows), toy(), spec_network(toy()))) !=
        "no error");
}

TEST_CASE("calibrate: a network made from a sweep reads back as it was", "[nccl_tests]") {
  const CollectiveSweep sweep = ring_sweep(8, 30, 150);
  const auto fit = calibrate(sweep);
  REQUIRE(fit);
  const auto again = read_collective_calibration(to_value(fit->calibration));
  REQUIRE(again);
  for (const double bytes : {0.0, 3000.0, 1e6, 1e9, 1e11})
    for (const int ranks : {2, 8, 16})
      CHECK(us_of(again->networks.at(0), bytes, ranks) ==
            Approx(us_of(fit->calibration.networks.at(0), bytes, ranks)).epsilon(0.002));
}

TEST_CASE("samples: every published file is read, calibrated or refused with a reason", "[nccl_tests]") {
  const fs::path folder = "../shared/samples/nccl_tests";
  if (!fs::is_directory(folder)) {
    WARN("skipped: no " << folder.string());
    return;
  }
  std::size_t files = 0, fitted = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::ifstream in(entry.path());
    std::stringstream text;
    text << in.rdbuf();
    const auto output = parse_nccl_tests(text.str(), entry.path().filename().string());
    INFO(entry.path().filename().string() << ": " << error_text(output));
    REQUIRE(output);
    ++files;
    for (const CollectiveSweep& sweep : output->sweeps) {
      CHECK(sweep.ranks >= 2);
      const auto fit = calibrate(sweep);
      if (!fit) {
        CHECK(sweep.file.find("ellipsis") != std::string::npos);  // three rows of an example
        continue;
      }
      ++fitted;
      CHECK(fit->after.median <= fit->before.median);
      CHECK(fit->after.median < 0.03);
      if (sweep.device.find("5090") == std::string::npos && sweep.file.find("tcp") == std::string::npos)
        CHECK(fit->held_out.median < 0.1);
    }
  }
  CHECK(files == 15);
  CHECK(fitted == 16);
}

}  // namespace tpsim
