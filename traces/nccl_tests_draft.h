// A sweep while its file is read: what its lines say before the operation and the ranks are settled.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "traces/nccl_tests.h"

namespace tpsim {

struct SweepDraft {
  CollectiveSweep sweep;
  std::vector<std::int64_t> counts;  // elements, one per row
  int listed_ranks = 0;              // the highest listed + 1
  std::set<std::string> hosts;
  std::string program;  // "all_reduce_perf"
  std::string type, redop;
  std::optional<int> root;
};

// Settles operation, type, ranks and hosts. None for operations that tpsim does not have, with a note.
Result<std::optional<CollectiveSweep>> finish(SweepDraft draft, const std::string& file,
                                              std::vector<std::string>& notes);

// "float" as nccl-tests prints types; 0 = no type.
int bytes_of_type(std::string_view type);
// The name of the nccl-tests program in a text ("./build/all_reduce_perf -b 8"), "" = none.
std::string program_in(std::string_view text);

Result<NcclTestsOutput> parse_nccl_tables(std::string_view text, const std::string& file);
Result<NcclTestsOutput> parse_nccl_json(std::string_view text, const std::string& file);
bool is_csv_header(std::string_view line);
Result<NcclTestsOutput> parse_nccl_csv(std::string_view text, const std::string& file);

}  // namespace tpsim
