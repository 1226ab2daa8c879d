// The one table of flags. Parsing, help, usage lines (and whatever lists flags later) read it.
#pragma once

#include <span>
#include <string_view>

#include "cli/options.h"
#include "core/result.h"

namespace tpsim::cli {

enum class FlagGroup { input, workload, action, output };

// Which commands take a flag: a command names the sets it takes (cli/commands.h).
enum FlagSet : unsigned {
  kEverywhere = 1u << 0,  // -h, -q, --json, ...
  kModelFlags = 1u << 1,
  kPlanFlags = 1u << 2,
  kHardwareFlags = 1u << 3,
  kSizeFlags = 1u << 4,  // --tp, --ep
  kWorkloadFlags = 1u << 5,
  kReportFlags = 1u << 6,
  kCheckFlags = 1u << 7,
  kConvertFlags = 1u << 8,
  kRedistributeFlags = 1u << 9,
  kDtypeFlags = 1u << 10,
  kDialectFlags = 1u << 11,
  kTableFlags = 1u << 12,  // --fields, --sort, ...
  kPlanOutputFlags = 1u << 13,
  kConfigFlags = 1u << 14,  // --set, --max-header
  kTraceFlags = 1u << 16,
  kExportFlags = 1u << 17,
  kTrainingFlags = 1u << 19,
  kSweepFlags = 1u << 23,
  kStackFlags = 1u << 22,
  kGuiFlags = 1u << 25,  // --snapshot, --panel, ...
  kCompareFlags = 1u << 15,
  kRunFlags = 1u << 20,  // --input, --backend, --comm, ...
  kValidateFlags = 1u << 27,
  kCalibrateFlags = 1u << 28,
  kServeFlags = 1u << 30,
  kDoctorFlags = 1u << 31,
};

struct Flag {
  std::string_view name;   // without the dashes
  char short_name = 0;     // 0 = none
  std::string_view value;  // "N" in help; empty = the flag takes no value
  FlagGroup group = FlagGroup::input;
  unsigned sets = 0;
  std::string_view help;  // one line
  Result<void> (*apply)(Options&, std::string_view value);
};

std::span<const Flag> all_flags();
const Flag* find_flag(std::string_view name);
const Flag* find_flag(char short_name);
const char* to_string(FlagGroup group);  // "Input"

}  // namespace tpsim::cli
