// What serving stacks add to their kernels, from measured runs.
#pragma once

#include <string>
#include <vector>

#include "sim/measured/e2e_time.h"
#include "sim/stack.h"

namespace tpsim {

struct StackRow {
  E2eRow row;
  E2eParts parts;     // with a stack that adds nothing
  double us = 0;      // measured
  double band = 0;    // of the kernels' sum
  StackPlace place;   // the entry that holds for its framework
  std::string group;  // model, GPU and TP size: what is left out at a time to judge the fit
};

// Rows of grades A and B with a time, predicted without what their stacks add.
std::vector<StackRow> stack_rows(const std::vector<E2eRow>& rows, const std::vector<StackFile>& files);

// Time of a row with that stack.
double stack_time(const E2eParts& parts, const Stack& stack);

// Every entry's numbers from its rows, pulled to those of all rows of its stack, which are pulled to `files`. Entries
// without rows keep theirs. The band covers 90 % of rows of groups left out in turn.
std::vector<StackFile> fit_stacks(const std::vector<StackRow>& rows, const std::vector<StackFile>& files);

// ln(measured / predicted) of each row, each predicted by a fit that has not seen its group.
std::vector<double> held_out_errors(const std::vector<StackRow>& rows, const std::vector<StackFile>& files);

}  // namespace tpsim
