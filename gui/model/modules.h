// The modules of an analysis as a tree: equal layers are one row. Every row of a module with parameters says its
// strategy, shape and bytes; rows above it sum up.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/analysis.h"

namespace tpsim::gui {

struct ModuleRow {
  std::string path;     // unique: "model.layers.0-79.mlp.gate_proj"
  std::string pattern;  // "model.layers.*.mlp.gate_proj"
  std::string label;    // last component, with its count: "layers 0-79"
  int depth = 0;
  int parent = -1;
  bool has_children = false;
  std::vector<int> specs;                  // its own parameters, indices into Analysis::shards
  int rule = -1;                           // index into Analysis::rules
  std::string strategy;                    // "" without a rule
  int first_index = 0;                     // of the first list element it stands for
  std::int64_t count = 0;                  // modules; 0 = no parameters of its own
  std::int64_t bytes = 0, rank_bytes = 0;  // whole, and on the heaviest rank; with everything below
  std::int64_t replicated = 0;             // part of rank_bytes that every rank holds

  bool is_leaf() const { return !specs.empty(); }
};

std::vector<ModuleRow> module_tree(const Analysis& analysis);

// The row that text as of --select means: a path, a pattern, a concrete name or its end ("mlp.gate_proj"); -1 = none.
int find_module(const std::vector<ModuleRow>& rows, std::string_view text);
// The row of a module below the prefix of a trace's step; -1 = none.
int find_module(const std::vector<ModuleRow>& rows, const std::string& prefix_pattern, const std::string& module);

// One letter beside the colour: C colwise, R rowwise, G gather, E embedding, S sequence, X experts, P packed, =
// replica.
char strategy_letter(std::string_view strategy);
// 0 colwise, 1 rowwise, 2 gather and embedding, 3 sequence, 4 replicate, 5 experts, 6 packed: Theme's colours.
int strategy_class(std::string_view strategy);

}  // namespace tpsim::gui
