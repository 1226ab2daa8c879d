#include "traces/nccl_tests.h"

#include <algorithm>

#include "traces/nccl_tests_draft.h"

namespace tpsim {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// A line that names a size and a time between commas.
bool looks_like_csv(std::string_view text) {
  for (int lines = 0; lines < 20 && !text.empty(); ++lines) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (is_csv_header(text.substr(0, end))) return true;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return false;
}

}  // namespace

Result<NcclTestsOutput> parse_nccl_tests(std::string_view text, const std::string& file) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return input_error("the file is empty", file);
  if (text.substr(first).starts_with("{") || text.substr(first).starts_with("[{")) return parse_nccl_json(text, file);
  return looks_like_csv(text) ? parse_nccl_csv(text, file) : parse_nccl_tables(text, file);
}

}  // namespace tpsim
