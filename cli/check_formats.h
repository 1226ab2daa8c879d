// The problems of a plan for review bots: GitHub workflow commands and SARIF 2.1.0.
#pragma once

#include <string>
#include <vector>

#include "cli/problems.h"
#include "core/plan.h"

namespace tpsim::cli {

// What the places of problems refer to.
struct CheckedFile {
  std::string file;  // of problems without a place of their own; "" = none
  std::string text;  // of the plan, "" = not from a text
  const Plan* plan = nullptr;
};

// "::error file=plan.json,line=6,col=3,title=TP101::message", one line a problem.
std::string to_github(const std::vector<Problem>& problems, const CheckedFile& checked);

// One run with one rule per code that occurs. Edits of the plan become fixes where its text can be edited.
std::string to_sarif(const std::vector<Problem>& problems, const CheckedFile& checked);

}  // namespace tpsim::cli
