// Collective operations and the bytes they move.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tpsim {

enum class CollectiveOp { all_reduce, all_gather, reduce_scatter, all_to_all, broadcast, send };

const char* to_string(CollectiveOp op);
std::optional<CollectiveOp> parse_collective(std::string_view name);

// Bytes that one rank puts on the wire, ring algorithm; `payload` = bytes of the full (gathered, reduced, exchanged)
// tensor as in nccl-tests' "size". Rounded up to whole bytes.
//   all_reduce 2(p-1)/p N; all_gather, reduce_scatter (p-1)/p N; all_to_all (p-1)/p N (N = this rank's send buffer);
//   broadcast, send N
std::int64_t wire_bytes_per_rank(CollectiveOp op, std::int64_t payload, int group);

}  // namespace tpsim
