#include "traces/nccl_log.h"

#include <fstream>

#include "tests/catch.hpp"
#include "tests/error_text.h"
#include "tests/scratch.h"
#include "traces/nccl_log_line.h"

using namespace tpsim;

namespace {

NcclLog parsed(const std::string& text) {
  const auto log = parse_nccl_log(text, "log");
  INFO(error_text(log));
  REQUIRE(log);
  return *log;
}

std::string complete(int rank, const std::string& prefix) {
  return prefix + "node:1:2 [" + std::to_string(rank) + "] NCCL INFO comm 0x5 rank " + std::to_string(rank) +
         " nranks 2 cudaDev " + std::to_string(rank) + " nvmlDev 0 busId 1b000 commId 0xabc - Init COMPLETE";
}

}  // namespace

TEST_CASE("nccl log: prefixes of launchers, colours and carriage returns change nothing", "[nccl_log]") {
  for (const char* prefix : {"", "[1,0]<stdout>:", "0: ", "pod-1 trainer: ", "\x1b[32m", "[2026-01-01 12:08:32] "}) {
    CAPTURE(prefix);
    const NcclLog log = parsed(complete(0, prefix) + "\r\n" + complete(1, prefix) + "\x1b[0m\r\n");
    CHECK(log.hosts == std::set<std::string>{"node"});
    CHECK(log.ranks_complete() == 2);
    CHECK(log.notes.empty());
  }
}

TEST_CASE("nccl log: statements glued by concurrent writers are told apart", "[nccl_log]") {
  const NcclLog log = parsed(complete(0, "") + complete(1, ""));
  CHECK(log.lines == 1);
  CHECK(log.ranks_complete() == 2);
  CHECK(log.hosts == std::set<std::string>{"node"});
}

TEST_CASE("nccl log: the torn rest of a completion counts where it names its rank", "[nccl_log]") {
  const std::string start = "node:1:2 [1] NCCL INFO comm 0x5 rank 1 nranks 2 cudaDev 1 commId 0xabc - Init START\n";
  const NcclLog named = parsed(complete(0, "") + "\n" + start + " 1 nranks 2 cudaDev 1 commId 0xabc - Init COMPLETE\n");
  CHECK(named.ranks_complete() == 2);
  const NcclLog lost = parsed(complete(0, "") + "\n" + start + "000 commId 0xabc - Init COMPLETE\n");
  CHECK(lost.ranks_complete() == 1);
  REQUIRE(lost.notes.size() == 2);
  CHECK(lost.notes[1] == "communicator 0xabc: not seen to be complete: 1 of 2 ranks");
}

TEST_CASE("nccl log: ranks that say nothing are counted", "[nccl_log]") {
  const NcclLog log =
      parsed("n:1:2 [3] NCCL INFO comm 0x55a0 rank 11 nranks 16 cudaDev 3 busId 81000 - Init COMPLETE\n");
  REQUIRE(log.communicators.size() == 1);
  CHECK(log.communicators[0].size == 16);
  CHECK(log.communicators[0].ranks.at(11).bus_id == "81000");
  CHECK(log.notes == std::vector<std::string>{"communicator of 16 ranks: 15 of 16 ranks say nothing"});
}

TEST_CASE("nccl log: versions, networks, transports, settings of old and new releases", "[nccl_log]") {
  const NcclLog log = parsed(
      "NCCL version 2.4.8+cuda10.1\n"
      "a:1:1 [0] NCCL INFO NCCL version 2.29.7+cuda12.9\n"
      "a:1:1 [0] NCCL INFO Using network AWS Libfabric\n"
      "a:1:1 [0] NCCL INFO NET/IB : Using [0]mlx5_0:1/IB/SHARP [1]mlx5_1:1/RoCE [RO]; OOB eth0:10.0.0.1<0>\n"
      "a:1:1 [0] NCCL INFO NET/Socket : Using [0]eth0:10.0.0.4<0>\n"
      "a:1:1 [0] NCCL INFO Ring 00 : 3[3] -> 4[4] via P2P/IPC\n"
      "a:1:1 [0] NCCL INFO Channel 00/0 : 9[1] -> 0[0] [receive] via NET/IB/4/GDRDMA\n"
      "a:1:1 [0] NCCL INFO Channel 01/16 :    0   7   6\n"
      "a:1:1 [0] NCCL INFO NCCL_SOCKET_IFNAME set by environment to eth0.\n"
      "a:1:1 [0] NCCL INFO Pattern 4, crossNic 0, nChannels 12, bw 24.0/24.0, type NVL/PIX, sameChannels 1\n"
      "a:1:1 [0] NCCL INFO 24 coll channels, 24 collnet channels, 0 nvls channels, 32 p2p channels\n");
  CHECK(log.versions == std::vector<std::string>{"2.4.8+cuda10.1", "2.29.7+cuda12.9"});
  CHECK(log.networks == std::set<std::string>{"AWS Libfabric"});
  CHECK(log.adapters == std::vector<std::string>{"mlx5_0:1/IB/SHARP", "mlx5_1:1/RoCE", "eth0"});
  CHECK(log.transports == std::map<std::string, std::int64_t>{{"NET/IB/GDRDMA", 1}, {"P2P/IPC", 1}});
  CHECK(log.channels == 16);
  CHECK(log.collective_channels == 24);
  CHECK(log.p2p_channels == 32);
  CHECK(log.settings.count("NCCL_SOCKET_IFNAME=eth0") == 1);
  CHECK(log.graph_types.count("NVL/PIX") == 1);
  CHECK(log.recognised == 11);
}

TEST_CASE("nccl log: algorithm and protocol by name and by number, calls with their bytes", "[nccl_log]") {
  const NcclLog log = parsed(
      "a:1:1 [0] NCCL INFO AllReduce: 1024 Bytes -> Algo RING proto LL channel{Lo..Hi}={0..3}\n"
      "a:1:1 [0] NCCL INFO AllReduce: 1024 Bytes -> Algo 1 proto 0 time 24.7\n"
      "NCCL INFO Broadcast:2048 Bytes -> Algo NVLS_TREE proto SIMPLE channel{Lo..Hi}={0..0}\n"
      "a:1:1 [2] NCCL INFO AllReduce: opCount 1e7 sendbuff 0x1 recvbuff 0x1 count 18816 datatype 7 op 0 root 0 comm "
      "0x2 "
      "[nranks=16] stream 0x3\n"
      "a:1:1 [2] NCCL INFO AllGather: opCount 1e8 sendbuff 0x1 recvb\n");
  const std::vector<NcclChoice> wanted = {{"AllReduce", 1024, "Ring", "LL", 0},
                                          {"AllReduce", 1024, "Ring", "LL", 4},
                                          {"Broadcast", 2048, "NVLS_TREE", "Simple", 1}};
  std::vector<NcclChoice> found;
  for (const auto& [choice, count] : log.choices) found.push_back(choice);
  CHECK(found == wanted);
  REQUIRE(log.collectives.size() == 1);
  CHECK(log.collectives.begin()->first == NcclCollectiveLine{"AllReduce", 18816 * 4, 16});
  CHECK(log.notes.size() == 1);
}

TEST_CASE("nccl log: warnings, failures, and what is not understood is said", "[nccl_log]") {
  const NcclLog log = parsed(
      "[2026-01-01 12:08:32] a:194:710 [0] int f(x*, y*):46 NCCL WARN NET/OFI Request completed with error\n"
      "a:194:710 [0] NCCL INFO transport/net.cc:753 -> 6\n"
      "a:194:710 [0] NCCL INFO Frobnicating the splines 17\n"
      "epoch 3: loss 1.7\n");
  CHECK(log.warnings.count("NET/OFI Request completed with error") == 1);
  CHECK(log.failures.count("transport/net.cc:753 -> 6") == 1);
  CHECK(log.unrecognised == std::map<std::string, std::int64_t>{{"Frobnicating the", 1}});
  CHECK(log.lines == 4);
  CHECK(log.nccl_lines == 3);
  CHECK(log.recognised == 2);
}

TEST_CASE("nccl log: any cut of a log is read, none of its numbers are trusted", "[nccl_log]") {
  const std::string text =
      "a:1:1 [0] NCCL INFO comm 0x5 rank -3 nranks 99999999999 - Init COMPLETE\n" + complete(0, "[1,0]<stdout>:") +
      "\nNCCL INFO Channel 999999999999/4 : 1 -> \nNCCL INFO [[[ ]\nNCCL INFO X: -> Algo \n" +
      "NCCL INFO AllReduce: opCount 1 count 99999999999999999999 datatype 99 [nranks=-1]\n" + complete(1, "");
  for (std::size_t length = 30; length <= text.size(); ++length) CHECK(parse_nccl_log(text.substr(0, length), "log"));
  CHECK(!parse_nccl_log("nothing of the kind\n", "log"));
  CHECK(!parse_nccl_log("", "log"));
}

TEST_CASE("nccl log: a file is read like its text, longer lines than any are cut", "[nccl_log]") {
  const Scratch scratch;
  const std::string path = scratch.path("nccl.log");
  std::string text;
  for (int i = 0; i < 30'000; ++i) text += complete(i % 2, "host " + std::to_string(i) + " ") + "\n";
  text += std::string(3'000'000, 'x') + "\n" + "a:1:1 [0] NCCL INFO Using network IB";
  std::ofstream(path) << text;
  const auto log = read_nccl_log(path);
  REQUIRE(log);
  CHECK(log->lines == 30'002);
  CHECK(log->ranks_complete() == 2);
  CHECK(log->networks == std::set<std::string>{"IB"});
}
