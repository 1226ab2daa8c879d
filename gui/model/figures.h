// The headline figures of a report as text, and their differences to a baseline: the words of the strip on top.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/report.h"
#include "cli/table.h"
#include "gui/model/modules.h"

namespace tpsim::gui {

enum class Trend { none, better, worse, same };  // same: below 1 % or within the model's uncertainty

struct Figure {
  std::string name;         // "DECODE"
  std::string value;        // "16.05 ms  499 tok/s"
  std::string difference;   // "-0.31 ms (-1.9 %)", "" without a baseline
  std::string explanation;  // formula with the values put in
  Trend trend = Trend::none;
  bool is_bad = false;  // does not fit, errors
};

// Six figures: memory, prefill, decode, communication, efficiency, problems. `b` may be null.
std::vector<Figure> headline_figures(const cli::Report& a, const cli::Report* b,
                                     const std::vector<std::string>& suppressed);

// Modules of A and B that differ, or all: strategy, bytes per rank, bytes on the wire, time of both phases.
struct Comparison {
  cli::Table table;
  std::vector<std::string> paths;  // one per row
  std::size_t same = 0, changed = 0, only_a = 0, only_b = 0;
};
Comparison compare_modules(const cli::Report& a, const cli::Report& b, bool changed_only);

std::string signed_bytes(std::int64_t bytes);  // "+1.47 GiB", "="
std::string signed_time(double seconds);       // "-0.56 ms", "="
std::string percent_text(double share);        // "11.6 %"

}  // namespace tpsim::gui
