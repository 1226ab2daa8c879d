// What NCCL and RCCL say about themselves (NCCL_DEBUG=INFO, TRACE): lines of several ranks, in any order, with prefixes
// of launchers, other output between them, torn and glued.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace tpsim {

struct NcclRank {
  int rank = -1, device = -1;  // -1: not told
  std::string host, bus_id;
  bool started = false, complete = false;
};

// One communicator: ranks that name the same commId, or, in versions without it, that are of the same size and process
// group in time.
struct NcclCommunicator {
  std::string id;
  int size = 0;
  std::map<int, NcclRank> ranks;
};

struct NcclCollectiveLine {
  std::string name;        // "AllReduce"
  std::int64_t bytes = 0;  // of the count that the line says; -1: of a type that tpsim does not know
  int ranks = 0;
  auto operator<=>(const NcclCollectiveLine&) const = default;
};

struct NcclChoice {
  std::string name;  // "AllReduce"
  std::int64_t bytes = 0;
  std::string algorithm, protocol;  // "Ring", "LL128"; as written where unknown
  int channels = 0;                 // 0: not told
  auto operator<=>(const NcclChoice&) const = default;
};

struct NcclLog {
  std::string file;
  std::int64_t lines = 0, nccl_lines = 0, recognised = 0;
  std::vector<std::string> versions;  // "2.19.3+cuda12.3", in order of first sight
  std::set<std::string> hosts;
  std::vector<NcclCommunicator> communicators;
  std::set<std::string> networks;                   // "IBext", "Socket"
  std::vector<std::string> adapters;                // "mlx5_0:1/IB"
  std::vector<std::string> plugins;                 // what was loaded
  std::map<std::string, std::int64_t> transports;   // "P2P/CUMEM" -> connections
  std::map<std::string, std::int64_t> settings;     // "NCCL_ALGO=Ring" -> lines
  std::map<std::string, std::int64_t> graph_types;  // "NVL/PIX" -> lines
  int channels = 0;                                 // the most that one communicator has
  int collective_channels = 0, p2p_channels = 0;    // as told; 0: not told
  std::int64_t rings = 0, trees = 0;                // lines that list them
  std::int64_t gdr_enabled = 0, gdr_disabled = 0;
  bool nvls = false;
  std::map<NcclCollectiveLine, std::int64_t> collectives;  // NCCL_DEBUG_SUBSYS=COLL
  std::map<NcclChoice, std::int64_t> choices;              // NCCL_DEBUG_SUBSYS=TUNING
  std::map<std::string, std::int64_t> warnings;            // text -> times
  std::map<std::string, std::int64_t> failures;            // "transport/net.cc:753 -> 6"
  std::map<std::string, std::int64_t> unrecognised;        // first words of lines that say something else
  std::vector<std::string> notes;                          // what was left out and why

  int ranks_complete() const;  // of the largest communicator
};

// Whether a text (its beginning) has lines of NCCL.
bool looks_like_nccl_log(std::string_view text);

// Reads line by line; memory does not grow with the file. Errors: cannot be read, no line of NCCL.
Result<NcclLog> read_nccl_log(const std::string& path);
Result<NcclLog> parse_nccl_log(std::string_view text, const std::string& file);

// "RING" or "1" -> "Ring"; "SIMPLE" or "2" -> "Simple".
std::string nccl_algorithm(std::string_view name);
std::string nccl_protocol(std::string_view name);
// Of one element of ncclDataType_t `type`; 0: unknown.
int bytes_of_nccl_type(int type);

}  // namespace tpsim
