// What serving stacks add to their kernels, from measured runs.
#pragma once

#include <functional>
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

// Rows of grades A and B with a time, serving and training, predicted without what their stacks add.
std::vector<StackRow> stack_rows(const std::vector<E2eRow>& rows, const std::vector<StackFile>& files);

// A value in the row's unit as a time; of rates, as the time of one of what they count.
double time_us(const E2eRow& row, double value);

// Time of a row with that stack.
double stack_time(const E2eParts& parts, const Stack& stack);

// Every entry's numbers from its rows, pulled to those of all rows of its stack, which are pulled to `files`. Entries
// without rows keep theirs. The band covers 90 % of rows of groups left out in turn.
std::vector<StackFile> fit_stacks(const std::vector<StackRow>& rows, const std::vector<StackFile>& files);

// Rows by fits that have each not seen one fold of whole groups.
struct HeldOut {
  std::vector<int> fold;                // of each row
  std::vector<std::vector<double>> us;  // by fold left out, then by row
  double own(std::size_t row) const { return us[static_cast<std::size_t>(fold[row])][row]; }  // by a fit without it
};
using GroupOf = std::function<std::string(const StackRow&)>;
HeldOut held_out(const std::vector<StackRow>& rows, const std::vector<StackFile>& files, const GroupOf& group_of);

// ln(measured / predicted) of each row, each predicted by a fit that has not seen its `group`.
std::vector<double> held_out_errors(const std::vector<StackRow>& rows, const std::vector<StackFile>& files);

}  // namespace tpsim
