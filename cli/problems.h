// The diagnostics of several TP sizes as one list.
#pragma once

#include <string>
#include <vector>

#include "cli/json_writer.h"
#include "core/analysis.h"
#include "core/diagnostic.h"

namespace tpsim::cli {

struct Problem {
  Diagnostic diagnostic;   // of the first size that has it
  std::vector<int> sizes;  // TP sizes that have it
};

// Adds the diagnostics of one size; equal code, place and rule are one problem.
void merge(std::vector<Problem>& problems, const std::vector<Diagnostic>& diagnostics, int tp);
// Errors first, then warnings and notes, otherwise in order of arrival.
void sort_by_severity(std::vector<Problem>& problems);
// Diagnostics with the sizes named where they do not hold at all of `all_sizes`.
std::vector<Diagnostic> with_sizes(const std::vector<Problem>& problems, const std::vector<int>& all_sizes);

// "error TP102: 8 key/value heads cannot be split over 16 ranks": what stops the plan at this size.
std::string failure_text(const Analysis& analysis);

// [{"code","severity","where","message",...,"fixes":[{"title","patch"}]}]
void write_problems(JsonWriter& json, const std::vector<Problem>& problems);

}  // namespace tpsim::cli
