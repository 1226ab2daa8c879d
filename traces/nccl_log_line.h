// One line of a log taken apart into what each writer said.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tpsim {

enum class NcclLevel { info, warning, trace, version };

struct NcclStatement {
  NcclLevel level = NcclLevel::info;
  std::string host;    // "" where the prefix is torn or stripped
  int device = -1;     // "[3]"
  std::string writer;  // "host:pid"
  std::string_view text;
};

// Without ANSI escapes and carriage returns.
std::string cleaned(std::string_view line);
// Lines of concurrent writers are glued: one statement for each "NCCL INFO" and its kin. Views into `line`.
std::vector<NcclStatement> statements_of(std::string_view line);

// The word after `key` ("nranks 16" -> "16"), none without it.
std::optional<std::string_view> word_after(std::string_view text, std::string_view key);
std::optional<long long> number_after(std::string_view text, std::string_view key);

}  // namespace tpsim
