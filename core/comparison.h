// Two predictions side by side: what differs, and whether the difference is more than what their bands leave open.
// Plain values, so the command line, other programs and the visualizer ask the same function.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/analysis.h"

namespace tpsim {

// A part of a time. Equal `kernel` texts stand for the same work: the same error on the same hardware.
struct TimeShare {
  std::string kernel;
  double us = 0;
  double band = 0;  // half width in ln(measured / us), 90 %
};

// One figure of a candidate. Exact ones (bytes, counts) have no shares.
struct Figure {
  std::string name, unit;
  double value = 0;
  bool lower_is_better = true;
  std::vector<TimeShare> shares;
};

// What a set of modules costs one rank.
struct ModuleFigures {
  std::string module;  // "model.layers.*.mlp.up_proj"
  std::string strategy;
  std::int64_t rank_bytes = 0;   // of parameters, heaviest rank
  std::int64_t collectives = 0;  // of one pass
  std::int64_t wire_bytes = 0;   // sent per rank in one pass
  double us = 0;                 // kernels and collectives of one decode step (else of prefill)
};

struct Candidate {
  std::string label;
  std::string machine;  // hardware and stack: candidates that share it share errors
  int ranks = 1;
  Verdict verdict = Verdict::right;
  std::vector<Figure> figures;
  std::vector<ModuleFigures> modules;
};

struct FigureChange {
  std::string name, unit;
  double before = 0, after = 0;
  double change = 0;     // after / before - 1
  double band = 0;       // half width of `change` that its errors leave open, 90 %; 0 = exact
  bool differs = false;  // |change| > band
  bool lower_is_better = true;
};

struct ModuleChange {
  ModuleFigures before, after;  // an empty `module`: not there
};

struct Comparison {
  std::string before, after;
  std::vector<FigureChange> figures;  // those that both have, in the order of the first
  std::vector<ModuleChange> modules;  // those that differ, in the order of the first
};

// Errors of kernels that both candidates run cancel on one machine. What is left has, between two candidates with equal
// ranks on one machine, errors that correlate by kSharedError; otherwise they are taken as independent. Measured over
// pairs of runs that differ in one thing (serving runs, GPU and framework the same): batch 0.57, prompt 0.56, model
// 0.50, TP size 0.04, GPU 0.31.
inline constexpr double kSharedError = 0.5;
Comparison compare(const Candidate& before, const Candidate& after);

}  // namespace tpsim
